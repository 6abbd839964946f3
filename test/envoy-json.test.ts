// JSON configurations in a real Envoy: text, a binary Struct, what is wrong.

import { beforeAll, describe, expect, test } from "vitest";

import { type Compiled, compileFilter, compileSource } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy, freePort, startEnvoy } from "./support/envoy.ts";
import { filterInEnvoy } from "./support/filter-in-envoy.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

const config = { header: "x-a", limit: 5, rate: 0.5, strict: true, tags: ["a", "b"], rules: [{ path: "/", limit: 1 }] };
const struct = (value: object): object => ({ "@type": "type.googleapis.com/google.protobuf.Struct", value });

describe.skipIf(!envoy)("in a real Envoy", () => {
  let compiled: Compiled;
  beforeAll(async () => {
    compiled = await compileFilter("json-configuration");
  });

  /** What Envoy's log says of the filter, whether it started or not. */
  async function started(file: string, configuration: string | object): Promise<string> {
    try {
      const running = await startEnvoy(envoy!, filterInEnvoy(await freePort(), file, configuration), ".");
      await running.stop();
      return running.log();
    } catch (error) {
      return (error as Error).message;
    }
  }

  test("a text is read", async () => {
    const log = await started(compiled.file, JSON.stringify(config));
    expect(log).toContain("wasm log: x-a 5 0.5 true [a,b] /:1");
  });

  test("what is wrong stands in the log, and Envoy does not start", async () => {
    const log = await started(compiled.file, JSON.stringify({ ...config, limit: "ten" }, null, 2));
    expect(log).toContain(
      'wasm log: configuration, limit (line 3, column 12): expected a whole number from 0 to 4294967295, found "ten"',
    );
    expect(log).not.toContain("starting main dispatch loop");
  });

  test("a Struct comes in binary: refused as JSON, with what to do", async () => {
    const log = await started(compiled.file, struct(config));
    expect(log).toContain("these bytes may be a google.protobuf.Struct");
    expect(log).not.toContain("starting main dispatch loop");
  });

  test("a Struct is read with structToJson", async () => {
    const { file } = await compileSource(`
      import { logInfo, registerRootContext, RootContext } from "proxy-wasm/assembly";
      import { parseJson } from "proxy-wasm/assembly/json";
      import { structToJson } from "proxy-wasm/assembly/struct";
      class Root extends RootContext {
        override onConfigure(_size: u32): bool {
          const config = parseJson(structToJson(this.configurationBytes!));
          logInfo(config.get("header").text() + " " + config.get("limit").integer<u32>().toString());
          return config.accept();
        }
      }
      registerRootContext("", () => new Root());`);
    expect(await started(file, struct(config))).toContain("wasm log: x-a 5");
  });
});
