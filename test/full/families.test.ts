// A filter of each family on hosts that say anything, and over a million streams.

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { families } from "../../bench/families.mjs";
import { Status } from "../../src/index.ts";
import { generousHost } from "../support/any-stream.ts";
import { compileSource, removeBuild } from "../support/compile.ts";

const STREAMS = 1_000_000;
const WARM_UP = 20_000;
/** `stub` frees nothing but what the SDK keeps outside of its heap. */
const RUNTIMES = ["proxy-wasm", "incremental", "minimal"];
/** What aborts on purpose: keys must not be made of bytes that are not random. */
const ABORTS: Readonly<Record<string, string>> = { "crypto.getRandomValues": "random_get" };
/** Makes a filter tell what lives in its heap. */
const LIVING = `import { livingBytes } from "proxy-wasm/assembly/heap";
export function living(): usize { return livingBytes(); }
`;
const statuses = [...Object.values(Status).filter((status): status is Status => typeof status === "number"), 99];

afterAll(removeBuild);

describe.each(Object.entries(families))("%s", (name, source) => {
  test("leaves no object behind, whatever the host answers", async () => {
    const { bytes } = await compileSource(LIVING + source, ["--use", "GC_STRESS=1"]);
    const { host, stream } = generousHost(bytes);
    let id = 2;
    const streams = (count: number): void => {
      for (let i = 0; i < count; i++) stream(id++);
    };
    const lie = (): void => {
      for (const call of host.imports.filter((call) => call !== ABORTS[name])) {
        for (const status of statuses) {
          host.statuses = { [call]: status };
          streams(3);
        }
      }
      host.statuses = {};
      streams(100);
    };
    for (let i = 0; i < 3; i++) lie();
    const before = host.call("living");
    expect(before).toBeGreaterThanOrEqual(0);
    for (let i = 0; i < 10; i++) lie();
    expect(host.call("living")).toBe(before);
  });
});

describe.each(RUNTIMES)("with the runtime %s", (runtime) => {
  describe.each(Object.entries(families))("%s", (name, source) => {
    let bytes: Uint8Array;
    beforeAll(async () => {
      ({ bytes } = await compileSource(source, ["--runtime", runtime]));
    });

    test("no answer to any host call stops the filter or makes its memory grow", () => {
      const { host, stream } = generousHost(bytes);
      let id = 2;
      const lie = (): void => {
        for (const call of host.imports.filter((call) => call !== ABORTS[name])) {
          for (const status of statuses) {
            host.statuses = { [call]: status };
            for (let i = 0; i < 10; i++) stream(id++);
          }
        }
      };
      for (let i = 0; i < 20; i++) lie();
      const before = host.memorySize;
      for (let i = 0; i < 20; i++) lie();
      expect(host.memorySize).toBe(before);
    });

    test(`memory is the same after ${STREAMS} streams`, () => {
      const { host, stream } = generousHost(bytes);
      for (let id = 2; id < WARM_UP; id++) stream(id);
      const before = host.memorySize;
      for (let id = WARM_UP; id < WARM_UP + STREAMS; id++) stream(id);
      expect(host.memorySize).toBe(before);
    });
  });
});
