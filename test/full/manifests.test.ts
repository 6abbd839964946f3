// What `manifest` writes for clusters, looked at by the API server's code with the definitions of Istio and Envoy Gateway,
// and by Istio's own validation: both take all of it.

import { writeFileSync } from "node:fs";

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";

import { buildIstio, explainMissingGo, istioValidate, missingGo, type Validated } from "../support/istio.ts";
import { ManifestProject, plain } from "../support/manifests.ts";

if (missingGo !== undefined) explainMissingGo();

// eslint-disable-next-line typescript/no-explicit-any
type Spec = any;

const BUILD_MS = 900_000;
const targets = ["istio", "istio-traffic-extension", "istio-envoy-filter", "envoy-gateway", "higress"];

/** Text with what readers of YAML differ about. */
const odd = fc.constantFrom(
  ..."a\"':\\ \n\t\0\u007f\u0085\u009f\u00a0\u2028\u2029\ufeff\ufffd\ufffe\uffff",
  "\u{1f600}",
);
const text = fc.oneof(fc.string(), fc.string({ unit: odd, maxLength: 10 }));
const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const label = fc.dictionary(word, word, { minKeys: 1, maxKeys: 3 });
const port = fc.integer({ min: 1, max: 65535 });
const pull = {
  namespace: word,
  imagePullPolicy: fc.constantFrom("IfNotPresent", "Always"),
  imagePullSecret: word,
};
const some = { requiredKeys: [] };

/** What a target has of what proxy-wasm.json may hold. */
const has: Readonly<Record<string, readonly string[]>> = {
  istio: ["kind", "rootId", "phase", "priority", "failurePolicy", "environment"],
  "istio-traffic-extension": ["kind", "rootId", "phase", "priority", "failurePolicy", "environment"],
  "istio-envoy-filter": [
    "kind",
    "rootId",
    "failurePolicy",
    "environment",
    "allowOnHeadersStopIteration",
    "capabilities",
  ],
  "envoy-gateway": ["rootId", "failurePolicy"],
  higress: ["rootId", "phase", "priority", "failurePolicy", "environment"],
};

/** The part of a content that a target has. */
function fitted(content: Record<string, unknown>, target: string): object {
  const names = new Set(["name", "image", "configuration", "targets", ...has[target]!]);
  const fit = Object.fromEntries(Object.entries(content).filter(([name]) => names.has(name)));
  if (/envoy-gateway|higress/.test(target) && fit["failurePolicy"] === "reload") fit["failurePolicy"] = "open";
  if (target !== "istio-envoy-filter") return fit;
  const { imagePullPolicy: _policy, imagePullSecret: _secret, ...istio } = (content["targets"] as Spec).istio;
  return { ...fit, targets: { istio } };
}

/** Contents of proxy-wasm.json. */
const contents = fc.record(
  {
    name: word,
    image: fc.constant(plain.image),
    kind: fc.constantFrom("http", "network"),
    rootId: fc.string({ maxLength: 64 }),
    configuration: fc.dictionary(text, fc.oneof(fc.jsonValue(), fc.jsonValue({ stringUnit: odd }))),
    phase: fc.constantFrom("unspecified", "authn", "authz", "stats"),
    priority: fc.integer(),
    failurePolicy: fc.constantFrom("closed", "open", "reload"),
    environment: fc.record(
      {
        values: fc.dictionary(fc.stringMatching(/^[A-Z]{1,5}$/), text, { maxKeys: 3 }),
        host: fc.uniqueArray(fc.stringMatching(/^[A-Z]{6,9}$/), { maxLength: 3 }),
      },
      some,
    ),
    allowOnHeadersStopIteration: fc.boolean(),
    capabilities: fc.uniqueArray(fc.constantFrom("proxy_log", "proxy_on_configure")),
    targets: fc.record({
      istio: fc.oneof(
        fc.record(
          {
            ...pull,
            selector: label,
            match: fc.array(
              fc.record({
                mode: fc.constantFrom("CLIENT", "SERVER", "CLIENT_AND_SERVER"),
                ports: fc.uniqueArray(port, { minLength: 1, maxLength: 3 }),
              }),
              { minLength: 1, maxLength: 3 },
            ),
          },
          some,
        ),
        fc.record({
          targetRefs: fc.uniqueArray(fc.record({ kind: fc.constantFrom("Gateway", "Service"), name: word }), {
            minLength: 1,
            maxLength: 3,
            selector: ({ name }) => name,
          }),
        }),
      ),
      "envoy-gateway": fc.oneof(
        fc.record(
          {
            ...pull,
            targetRefs: fc.array(fc.record({ kind: fc.constantFrom("Gateway", "HTTPRoute"), name: word }), {
              minLength: 1,
              maxLength: 3,
            }),
          },
          { requiredKeys: ["targetRefs"] },
        ),
        fc.record({
          targetSelectors: fc.tuple(fc.record({ kind: fc.constant("HTTPRoute"), matchLabels: label })),
        }),
      ),
      higress: fc.record(
        {
          ...pull,
          rules: fc.array(fc.record({ domain: fc.tuple(word), configuration: fc.dictionary(word, fc.jsonValue()) }), {
            minLength: 1,
            maxLength: 2,
          }),
        },
        some,
      ),
    }),
  },
  { requiredKeys: ["name", "image", "targets"] },
);

describe.skipIf(missingGo !== undefined)("a cluster", () => {
  const project = new ManifestProject();
  let program: string;
  let count = 0;

  beforeAll(async () => {
    program = await buildIstio("validate");
  }, BUILD_MS);
  afterAll(() => project.remove());

  function put(text: string): string {
    const file = project.path(`manifest-${count++}.yaml`);
    writeFileSync(file, text);
    return file;
  }

  /** What is said of each file. */
  async function validate(texts: readonly string[]): Promise<Validated[]> {
    return istioValidate(program, texts.map(put));
  }

  test("takes the manifests of every kind", async () => {
    const texts = await Promise.all(targets.map((target) => project.manifest(plain, target)));
    const all = await validate(texts);
    expect(all.map(({ kind, istios }) => [kind, istios])).toEqual([
      ["WasmPlugin", true],
      ["TrafficExtension", true],
      ["EnvoyFilter", true],
      ["EnvoyExtensionPolicy", false],
      ["WasmPlugin", false],
    ]);
    for (const { kind, cluster, istio } of all) expect({ kind, cluster, istio }).toEqual({ kind });
  });

  test("takes whatever is written of any proxy-wasm.json", async () => {
    const texts: string[] = [];
    const configurations: unknown[] = [];
    for (const content of fc.sample(contents, { numRuns: 100, seed: 7 })) {
      for (const target of targets) {
        texts.push(await project.manifest(fitted(content, target), target));
        configurations.push(content.configuration);
      }
    }
    const all = await validate(texts);
    expect(all).toHaveLength(texts.length);
    const refused = all.flatMap(({ cluster, istio }, i) =>
      cluster || istio ? [{ cluster, istio, text: texts[i] }] : [],
    );
    expect(refused).toEqual([]);
    for (const [i, { kind, spec, istios }] of all.entries()) {
      if (kind !== "WasmPlugin") continue;
      expect(istios ? spec.pluginConfig : spec.defaultConfig).toEqual(configurations[i]);
    }
  });

  test("hands a configuration on as it was, whatever is in it", async () => {
    const configuration = { on: "no", n: "1e3", octal: "0o17", time: "1:30", null: "~", list: ["y", "", "<<"] };
    const text = await project.manifest({ ...plain, configuration }, "istio");
    const [read, spoilt] = await validate([text, text.replace(': "no"', ": no")]);
    expect(read!.spec.pluginConfig).toEqual(configuration);
    expect(spoilt!.spec.pluginConfig).toEqual({ ...configuration, on: false });
  });

  test.each<[string, (spec: Spec) => void, "istio" | "cluster", RegExp]>([
    [
      "istio",
      (spec) => {
        spec.url = "localhost:5000/acme/f:1";
      },
      "istio",
      /unsupported scheme: localhost/,
    ],
    [
      "istio",
      (spec) => {
        spec.pluginName = "";
      },
      "cluster",
      /should be at least 1 chars long/,
    ],
    [
      "istio-traffic-extension",
      (spec) => {
        spec.wasm.typ = "HTTP";
      },
      "cluster",
      /unknown field/,
    ],
    [
      "envoy-gateway",
      (spec) => {
        spec.wasm[0].rootId = "r";
      },
      "cluster",
      /unknown field/,
    ],
    [
      "higress",
      (spec) => {
        spec.failStrategy = "FAIL_RELOAD";
      },
      "cluster",
      /Unsupported value/,
    ],
  ])("refuses another %s", async (target, spoil, by, error) => {
    const document = parse(await project.manifest(plain, target));
    spoil(document.spec);
    const [verdict] = await validate([stringify(document)]);
    expect(verdict![by]).toMatch(error);
  });
});
