// A host that calls the filter on its own account, as ngx_wasm_module does and Envoy could.

import { beforeAll, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import { type Compiled, compileFilter, compileSource } from "./support/compile.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("foreign-callback");
});

const said = (events: { logs: readonly { message: string }[] }): string[] => events.logs.map(({ message }) => message);

test("the root context is called with a number and bytes", async () => {
  const filter = await loadFilter(compiled.bytes, { vmConfig: "vm" });
  expect(said(filter.foreignFunction(1, "hello"))).toEqual(["root 1 5 hello"]);
  expect(said(filter.foreignFunction(0xffffffff))).toEqual(["root 4294967295 0 "]);
  expect(said(filter.foreignFunction(7, "a"))).toEqual(["root 7 1 a", "vm", "then 7 1 vm"]);
});

test("a stream is called, and can answer", async () => {
  const filter = await loadFilter(compiled.bytes);
  const stream = filter.stream();
  expect(said(stream.foreignFunction(2))).toEqual([]);
  stream.requestHeaders({ ":method": "GET", ":path": "/" });
  expect(said(stream.foreignFunction(2, Uint8Array.of(0x61)))).toEqual(["stream 2 1 a"]);
  stream.foreignFunction(403);
  expect(stream.response.headers.get(":status")).toBe("403");
  expect(said(stream.foreignFunction(2))).toEqual([]);
});

test("a connection is called", async () => {
  const filter = await loadFilter(compiled.bytes);
  const connection = filter.connection();
  connection.connect();
  expect(said(connection.foreignFunction(3, "b"))).toEqual(["connection 3 1 b"]);
});

test("a filter that does not look for it does not export it", async () => {
  const { exports } = await compileSource(
    'import { HttpContext, registerHttpContext } from "proxy-wasm/assembly";\n' +
      "class C extends HttpContext { override onLog(): void {} }\nregisterHttpContext(() => new C());\n",
  );
  expect(exports).not.toContain("proxy_on_foreign_function");
  expect(exports).not.toContain("proxy_on_request_metadata");
});
