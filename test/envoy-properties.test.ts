// Every property in every callback: the host against what a real Envoy answered, and a real Envoy against the same.
// `RECORD=1 npx vitest run test/envoy-properties.test.ts` writes down anew what Envoy answers.

import { writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";

import { format } from "prettier";
import { beforeAll, describe, expect, test } from "vitest";

import { type Compiled, compileFilter } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy } from "./support/envoy.ts";
import { observeInEnvoy } from "./support/properties-in-envoy.ts";
import { observeInHost } from "./support/properties-in-host.ts";
import { propertyScenarios, tableOf } from "./support/properties.ts";
import recorded from "./recorded/properties.json" with { type: "json" };

const names = Object.keys(propertyScenarios) as (keyof typeof recorded)[];
let probe: Compiled;
let tcpProbe: Compiled;
beforeAll(async () => {
  probe = await compileFilter("property-probe");
  tcpProbe = await compileFilter("property-probe", ["--use", "TCP=1"]);
}, 60_000);

describe("properties on the host are those that Envoy gave for", () => {
  test.each(names)("%s", async (name) => {
    expect(tableOf(await observeInHost((propertyScenarios[name]!.tcp ? tcpProbe : probe).bytes, name))).toEqual(
      recorded[name],
    );
  });
});

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

describe.skipIf(!envoy)("a real Envoy", () => {
  test("gives the properties that were recorded", { timeout: 60_000 }, async () => {
    const lines = await observeInEnvoy(envoy!, { http: probe.file, tcp: tcpProbe.file }, dirname(probe.file));
    const tables = Object.fromEntries(names.map((name) => [name, tableOf(lines[name]!)]));
    if (process.env["RECORD"]) {
      const file = resolve(import.meta.dirname, "recorded/properties.json");
      return writeFile(file, await format(JSON.stringify(tables), { parser: "json" }));
    }
    expect(tables).toEqual(recorded);
  });
});
