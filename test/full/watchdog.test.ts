// A filter that loops for ever only after very many callbacks: the test fails, and those after it run.

import { expect, test } from "vitest";

import { filterWat } from "../support/compile.ts";
import { startVitest } from "../support/vitest-project.ts";

const filter = filterWat({
  functions: `(global $count (mut i32) (i32.const 0))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (loop $again (br_if $again (i32.eq (global.get $count) (i32.const 6000))))
      (i32.const 0))`,
});

const tests = `
  import { expect, test } from "vitest";
  import { loadFilter } from "proxy-wasm";
  import "proxy-wasm/vitest";
  test.each(["in an exchange", "in a stream"])("loops %s", async (where) => {
    const filter = await loadFilter("filter.wasm");
    for (let i = 0; i < 7000; i++) {
      if (where === "in a stream") filter.stream().requestHeaders({ ":method": "GET" }, { endStream: true });
      else await filter.request("/", { upstream: () => ({}) });
    }
  });
  test("ends", async () => {
    const filter = await loadFilter("filter.wasm");
    for (let i = 0; i < 5900; i++) filter.stream().requestHeaders({ ":method": "GET" }, { endStream: true });
    expect((await filter.request("/", { upstream: () => ({}) })).status).toBe(200);
  });
`;

test.each(["forks", "threads"])(
  "vitest does not hang, and names the callback: %s",
  { timeout: 120_000 },
  async (pool) => {
    await using vitest = await startVitest("run", {
      "filter.wasm": filter,
      "filter.test.js": tests,
      "vitest.config.js": `export default { test: { pool: "${pool}" } };`,
    });
    expect(await vitest.ended).toBe(1);
    const output = vitest.output();
    expect(output).toMatch(/Tests +2 failed \| 1 passed \(3\)/);
    // vitest prints an error once that several tests have.
    expect(output).toMatch(
      /FAIL.*loops in an exchange\s+FAIL.*loops in a stream\s+EnvoyFault: proxy_on_request_headers ran for/,
    );
  },
);
