// The host never lies: what it does not offer answers Unimplemented and stands in known-gaps.json, and nothing else does.

import { readdir, readFile } from "node:fs/promises";

import { expect, test } from "vitest";

import { envFunctions } from "../src/profiles/function-types.ts";
import { EnvoyFault, loadFilter, Status } from "../src/index.ts";
import { filterWat } from "./support/compile.ts";
import gaps from "./known-gaps.json" with { type: "json" };

const calls = Object.entries(envFunctions).filter(
  ([, { versions, signature }]) => versions.includes("0.2.1") && signature.endsWith("-> i32"),
);

test.each(calls)("%s answers Unimplemented just when it is a known gap", async (name, { signature }) => {
  if (name === "pthread_equal") return;
  const parameters = signature
    .replace(/ ?-> i32/, "")
    .split(" ")
    .filter((type) => type);
  const filter = await loadFilter(
    filterWat({
      imports: `(import "env" "${name}" (func $call (param ${parameters.join(" ")}) (result i32)))`,
      functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $call ${parameters.map((type) => `(${type}.const 0)`).join(" ")})) (i32.const 1))`,
    }),
  );
  const stream = filter.stream();
  try {
    stream.requestHeaders({ ":method": "GET" });
  } catch (error) {
    // Where Envoy crashes, the host says so: it knows the call.
    if (!(error instanceof EnvoyFault)) throw error;
  }
  const call = stream.trace.events.find((event) => event.kind === "call");
  const answered = call?.kind === "call" ? call.status : Status.Ok;
  expect(answered === Status.Unimplemented).toBe(name in gaps);
});

test("what the host's own sentences call a gap is known, each under its name", async () => {
  const folder = new URL("../src/", import.meta.url);
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith(".ts"));
  const sources = await Promise.all(files.map((file) => readFile(new URL(file, folder), "utf8")));
  const gapsOf = (source: string): string[] => [...source.matchAll(/new Gap\(\s*"([^"]+)"/g)].map(([, what]) => what!);
  const named = new Set(["host calls of other hosts", ...sources.flatMap(gapsOf)]);
  expect(named.size).toBe(5);
  expect(Object.keys(gaps)).toEqual(expect.arrayContaining([...named]));
  // What else answers Unimplemented does so in Envoy, too.
  const others = sources.join("").match(/new (Refusal|Misuse)\(\s*Status\.Unimplemented, .*/g);
  expect(others).toEqual([expect.stringContaining("Envoy cannot continue the upstream's side of a TCP stream")]);
});

test("the refusal of a gap names the command that lists it", async () => {
  const reasons: string[] = [];
  const filter = await loadFilter(
    filterWat({
      imports: `(import "env" "proxy_own" (func $own (result i32)))`,
      functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (drop (call $own)) (i32.const 0))`,
    }),
    {
      host: { env: { ...envFunctions, proxy_own: { signature: "-> i32", versions: ["0.2.1"] } } },
      onRefusal: (call, { status, reason }) => reasons.push(`${call} ${status} ${reason}`),
    },
  );
  filter.stream().requestHeaders({ ":method": "GET" });
  expect(reasons).toEqual([
    'proxy_own 12 this host does not offer proxy_own yet ("npx proxy-wasm gaps" lists what is missing, and why)',
  ]);
});
