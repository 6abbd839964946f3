// The host never lies: what it does not offer answers Unimplemented and stands in known-gaps.json, and nothing else does.

import { expect, test } from "vitest";

import { envFunctions } from "../src/imports/signatures.ts";
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
