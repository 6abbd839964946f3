// `proxy-wasm manifest`: what is written for each target, what a target cannot express, and what is wrong with
// proxy-wasm.json. What Istio, Envoy Gateway and Envoy think of it is in test/full/ and manifest-envoy.test.ts.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

import { Ajv } from "ajv";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";

import { targets } from "../src/manifest/targets.ts";
import { digestOf, hexOf } from "../src/oci/descriptor.ts";
import { command } from "./support/command.ts";
import { FakeRegistry } from "./support/fake-registry.ts";
import { DIGEST, filterModule, googleImage, ManifestProject, moduleWith, plain } from "./support/manifests.ts";

const HEX = DIGEST.slice("sha256:".length);
const MODULE = hexOf(digestOf(filterModule));

let project: ManifestProject;
beforeAll(() => {
  project = new ManifestProject();
});
afterAll(() => project.remove());

describe("what is written", () => {
  test("for Istio: a WasmPlugin that pins the image", async () => {
    const settings = {
      rootId: "my_root",
      phase: "authn",
      priority: 10,
      failurePolicy: "open",
      environment: { values: { MODE: "strict" }, host: ["POD_NAME"] },
    };
    const match = [{ mode: "SERVER", ports: [8080, 9090] }, { mode: "CLIENT" }];
    const istio = { ...plain.targets.istio, match, imagePullPolicy: "Always", imagePullSecret: "regcred" };
    expect(parse(await project.manifest({ ...plain, ...settings, targets: { istio } }, "istio"))).toEqual({
      apiVersion: "extensions.istio.io/v1alpha1",
      kind: "WasmPlugin",
      metadata: { name: "my-filter", namespace: "istio-ingress" },
      spec: {
        selector: { matchLabels: { istio: "ingressgateway" } },
        match: [{ mode: "SERVER", ports: [{ number: 8080 }, { number: 9090 }] }, { mode: "CLIENT" }],
        phase: "AUTHN",
        priority: 10,
        url: `oci://ghcr.io/acme/my-filter:1.0.0@${DIGEST}`,
        imagePullPolicy: "Always",
        imagePullSecret: "regcred",
        pluginName: "my_root",
        failStrategy: "FAIL_OPEN",
        vmConfig: {
          env: [
            { name: "MODE", value: "strict" },
            { name: "POD_NAME", valueFrom: "HOST" },
          ],
        },
        pluginConfig: plain.configuration,
      },
    });
  });

  test("for Istio: a TrafficExtension with the same", async () => {
    const targetRefs = [
      { kind: "Gateway", name: "waypoint" },
      { kind: "Service", name: "web" },
    ];
    const content = { ...plain, kind: "network", targets: { istio: { targetRefs } } };
    expect(parse(await project.manifest(content, "istio-traffic-extension"))).toMatchObject({
      kind: "TrafficExtension",
      spec: {
        targetRefs: [
          { group: "gateway.networking.k8s.io", kind: "Gateway", name: "waypoint" },
          { group: "", kind: "Service", name: "web" },
        ],
        phase: "UNSPECIFIED",
        wasm: {
          type: "NETWORK",
          url: `oci://ghcr.io/acme/my-filter:1.0.0@${DIGEST}`,
          pluginConfig: plain.configuration,
        },
      },
    });
  });

  test("for Istio: an EnvoyFilter with what a WasmPlugin has no field for", async () => {
    const content = {
      ...plain,
      allowOnHeadersStopIteration: true,
      capabilities: ["proxy_log"],
      vmId: "mine",
      vmConfiguration: "start",
    };
    const { spec } = parse(await project.manifest(content, "istio-envoy-filter"));
    const [resource, insert] = spec.configPatches;
    expect(resource.patch.value.typed_config.config).toMatchObject({
      allow_on_headers_stop_iteration: true,
      capability_restriction_config: { allowed_capabilities: { proxy_log: {} } },
      configuration: { value: JSON.stringify(plain.configuration) },
      vm_config: {
        vm_id: "mine",
        configuration: { value: "start" },
        code: { remote: { http_uri: { uri: "oci://ghcr.io/acme/my-filter:1.0.0" }, sha256: HEX } },
      },
    });
    expect(insert.patch.value.name).toBe(resource.patch.value.name);
  });

  test("for Envoy Gateway: the digest stands by itself", async () => {
    const content = { ...plain, rootId: "r", failurePolicy: "open", environment: { host: ["POD_NAME"] } };
    expect(parse(await project.manifest(content, "envoy-gateway")).spec).toEqual({
      targetRefs: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: "backend" }],
      wasm: [
        {
          name: "my-filter",
          rootID: "r",
          failOpen: true,
          code: { type: "Image", image: { url: "oci://ghcr.io/acme/my-filter:1.0.0", sha256: HEX } },
          env: { hostKeys: ["POD_NAME"] },
          config: plain.configuration,
        },
      ],
    });
  });

  test("for Higress: with its rules", async () => {
    const rules = [
      { domain: ["*.example.com"], configuration: { value: "other" } },
      { ingress: ["a/b"], disabled: true },
    ];
    expect(parse(await project.manifest({ ...plain, targets: { higress: { rules } } }, "higress"))).toMatchObject({
      apiVersion: "extensions.higress.io/v1alpha1",
      metadata: { namespace: "higress-system" },
      spec: {
        url: `oci://ghcr.io/acme/my-filter:1.0.0@${DIGEST}`,
        defaultConfig: plain.configuration,
        matchRules: [
          { domain: ["*.example.com"], config: { value: "other" } },
          { ingress: ["a/b"], configDisable: true },
        ],
      },
    });
  });

  test.each(["istio", "istio-traffic-extension", "envoy-gateway", "higress", "envoy"])(
    "for %s: the module's digest where the module itself is downloaded",
    async (target) => {
      const { image: _image, ...content } = { ...plain, url: "https://example.com/filter.wasm" };
      const text = await project.manifest(content, target);
      expect(text).toContain("https://example.com/filter.wasm");
      expect(text).toContain(`sha256: ${MODULE.replace(/^(\d.*)$/, '"$1"')}`);
    },
  );

  test("for Kong: text without a schema, an object with one, and the schema", async () => {
    const chain = (text: string): any => parse(text).services[0].filter_chains[0].filters; // eslint-disable-line typescript/no-explicit-any
    expect(chain(await project.manifest(plain, "kong"))).toEqual([
      { name: "my-filter", config: JSON.stringify(plain.configuration) },
    ]);
    const configurationSchema = {
      $schema: "http://json-schema.org/draft-07/schema#",
      type: "object",
      properties: { header: { type: "string" } },
    };
    const content = { ...plain, configurationSchema };
    expect(chain(await project.manifest(content, "kong"))).toEqual([
      { name: "my-filter", config: plain.configuration },
    ]);
    expect(JSON.parse(await project.manifest(content, "kong-meta"))).toEqual({
      config_schema: { ...configurationSchema, $schema: "http://json-schema.org/draft-04/schema#" },
    });
    const newer = { ...content, configurationSchema: { properties: { a: { anyOf: [{ const: 1 }] } } } };
    expect(await project.refusal(newer, "kong-meta")).toMatch(
      /^error: configurationSchema\/properties\/a\/anyOf\/0 has "const", which Kong does not know: it takes JSON Schema of draft 4;/,
    );
  });

  test("for nginx: text in quotes, whatever is in it", async () => {
    const configuration = "it's a \\ and a \"\n$x; }";
    const text = await project.manifest({ ...plain, configuration }, "nginx");
    expect(text).toContain("proxy_wasm my-filter 'it\\'s a \\\\ and a \"\n$x; }';");
    expect(text).toContain(`module my-filter '${project.path("build/release.wasm")}';`);
  });

  test("for APISIX: the filter and a route", async () => {
    const targets = { apisix: { file: "/opt/my-filter.wasm", uri: "/api/*", upstream: "http://10.0.0.1:3000" } };
    const content = { ...plain, priority: 7999, targets };
    expect(parse(await project.manifest(content, "apisix-config"))).toEqual({
      wasm: {
        plugins: [{ name: "my-filter", priority: 7999, file: "/opt/my-filter.wasm", http_request_phase: "access" }],
      },
    });
    const route = await project.manifest(content, "apisix");
    expect(route).toMatch(/\n#END\n$/);
    expect(parse(route).routes[0]).toMatchObject({
      uri: "/api/*",
      plugins: { "my-filter": { conf: plain.configuration } },
      upstream: { nodes: { "10.0.0.1:3000": 1 } },
    });
  });

  test("for Google: commands that hand on what they should", async () => {
    const value = "it's $HOME `x` \\ \"";
    const content = { ...plain, image: googleImage, configuration: { value }, failurePolicy: "open" };
    const script = await project.manifest(content, "google");
    mkdirSync(project.path("bin"), { recursive: true });
    // Writes its arguments, each in a line, and what it reads.
    const fake = project.put("bin/gcloud", '#!/bin/sh\nprintf "%s\\n" "$@"\ncase "$*" in *import*) cat;; esac\n');
    chmodSync(fake, 0o755);
    const env = { PATH: `${project.path("bin")}:${process.env["PATH"]}` };
    const lines = execFileSync("sh", ["-c", script], { encoding: "utf8", env }).split("\n");
    expect(lines.slice(0, 4)).toEqual(["service-extensions", "wasm-plugins", "create", "my-filter"]);
    expect(lines).toContain(`--image=europe-docker.pkg.dev/my-project/filters/my-filter@${DIGEST}`);
    expect(lines).toContain(`--plugin-config=${JSON.stringify({ value })}`);
    const read = parse(lines.slice(lines.indexOf("--source=/dev/stdin") + 1).join("\n"));
    expect(read.forwardingRules).toEqual([
      "https://www.googleapis.com/compute/v1/projects/my-project/global/forwardingRules/front",
    ]);
    expect(read.extensionChains[0].extensions[0]).toMatchObject({
      service: "projects/my-project/locations/global/wasmPlugins/my-filter",
      failOpen: true,
    });
  });

  test("is read alike by readers of YAML 1.1 and 1.2", async () => {
    const words = [
      "yes",
      "n",
      "on",
      "null",
      "~",
      "1e3",
      "0o17",
      "012",
      "1:30",
      "<<",
      "=",
      "-",
      "a: b",
      "#",
      "",
      " ",
      "2001-01-01",
    ];
    const text = fc.oneof(fc.constantFrom(...words), fc.string({ unit: "binary" }));
    const value = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 3 }, text, fc.integer(), fc.boolean(), fc.constant(null), tie("list"), tie("map")),
      list: fc.array(tie("value"), { maxLength: 4 }),
      map: fc.dictionary(text, tie("value"), { maxKeys: 4 }),
    }));
    await fc.assert(
      fc.asyncProperty(value.map, async (configuration) => {
        const written = await project.manifest({ ...plain, configuration }, "istio");
        const read = JSON.parse(JSON.stringify(configuration));
        for (const version of ["1.1", "1.2"] as const) {
          expect(parse(written, { version }).spec.pluginConfig).toEqual(read);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("holds nothing that readers take for a line's end or refuse", async () => {
    const odd = ["\u007f", "\u0085", "\u009f", "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff"];
    const configuration = Object.fromEntries(
      odd.map((character) => [`a${character}b`, `${character} "'\\${character}`]),
    );
    for (const target of ["istio", "kong", "apisix", "envoy"]) {
      const written = await project.manifest({ ...plain, configuration }, target);
      expect(written).not.toMatch(/[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/);
    }
    const read = parse(await project.manifest({ ...plain, configuration }, "istio"));
    expect(read.spec.pluginConfig).toEqual(configuration);
  });

  test("holds characters, not halves of them", async () => {
    const whole = { "a😀": "😀" };
    expect(parse(await project.manifest({ ...plain, configuration: whole }, "istio")).spec.pluginConfig).toEqual(whole);
    for (const [configuration, place] of [
      [{ list: ["a", { b: "x\ud83d" }] }, "/configuration/list/1/b"],
      [{ "\ude00": 1 }, "/configuration/\ufffd"],
    ] as const) {
      const text = await project.refusal({ ...plain, configuration }, "istio");
      expect(Buffer.from(text).toString()).toBe(
        `error: proxy-wasm.json: ${place} has one half of a surrogate pair, such as \\ud83d, which is no character; write both, or none\n`,
      );
    }
  });

  test("says in comments what may be changed", async () => {
    const text = await project.manifest(plain, "istio");
    expect(text).toMatch(/^# Written by: proxy-wasm manifest istio\n# Change proxy-wasm\.json/);
    expect(text).toMatch(
      /\n {2}# The image, pinned by the digest of its manifest\. oci:\/\/ has to be there: .*\n {2}url: oci:/,
    );
    expect(text).toMatch(/\n {2}# What the filter reads as its configuration, as JSON\.\n {2}pluginConfig:\n/);
  });
});

describe("digests", () => {
  const { image: _image, ...without } = plain;
  const content = { ...without, image: "ghcr.io/acme/my-filter:1.0.0" };

  test("are those of the packaged image when the name has none", async () => {
    expect(await project.refusal(content, "istio")).toBe(
      "error: the digest of ghcr.io/acme/my-filter:1.0.0 is not known: proxy-wasm.json names none, and there is no image build/image; proxy-wasm package makes it; --reference takes what proxy-wasm push prints, --no-pin leaves the digest out\n",
    );
    const layout = project.path("build/image");
    const { stdout } = await command(["package", project.path("build/release.wasm"), "--out", layout, "--json"]);
    const { manifestDigest } = JSON.parse(stdout);
    for (const args of [[], ["--image", `${layout}.tar`]]) {
      const { code, stdout, stderr } = await project.run(content, "istio", ...args);
      expect(stdout).toContain(`url: oci://ghcr.io/acme/my-filter:1.0.0@${manifestDigest}\n`);
      expect(stderr).toBe(
        `warning: ${manifestDigest} is pinned, and proxy-wasm push has not pushed it to ghcr.io/acme/my-filter:1.0.0 from ${args[1] ?? layout}\n`,
      );
      expect(code).toBe(0);
    }
    expect(await project.manifest(content, "istio", "--no-pin")).toContain("url: oci://ghcr.io/acme/my-filter:1.0.0\n");
    const pushed = `oci://localhost:5000/acme/other@${DIGEST}`;
    expect(await project.manifest(content, "istio", "--reference", pushed)).toContain(`url: ${pushed}\n`);
  });

  test("come with a warning unless the image was pushed there from here", async () => {
    const registry = await FakeRegistry.start();
    onTestFinished(() => registry.stop());
    const layout = project.path("build/image");
    const name = `${registry.host}/acme/my-filter`;
    const warning = async (image: string, ...args: string[]): Promise<string> =>
      (await project.run({ ...content, image }, "istio", ...args)).stderr;
    await command(["package", project.path("build/release.wasm"), "--out", layout]);
    expect(await warning(`${name}:1`)).toMatch(/^warning: sha256:\w{64} is pinned, and proxy-wasm push has not pushed/);
    await command(["push", `${name}:1`, "--tag", "latest", "--image", layout]);
    await command(["push", `${name}:2`, "--image", `${layout}.tar`]);
    for (const image of [`${name}:1`, `${name}:2`, `${name}:latest`, name]) expect(await warning(image)).toBe("");
    expect(await warning(`${name}:2`, "--image", `${layout}.tar`)).toBe("");
    expect(await warning(`${name}:3`)).toContain(` to ${name}:3 from `);
    expect(await warning("ghcr.io/acme/my-filter:1")).toContain(" to ghcr.io/acme/my-filter:1 from ");
    // The same module makes the same image, another one another.
    await command(["package", project.path("build/release.wasm"), "--out", layout]);
    expect(await warning(`${name}:1`)).toBe("");
    await command(["package", project.put("other.wasm", moduleWith("(func)")), "--out", layout]);
    expect(await warning(`${name}:1`)).toContain(` to ${name}:1 from `);
  });

  test("of a module that is not there are no guess", async () => {
    const text = await project.refusal({ ...without, url: "https://example.com/f.wasm", module: "no.wasm" }, "envoy");
    expect(text).toBe(
      "error: the digest of what lies at https://example.com/f.wasm is not known: cannot read no.wasm: there is no such file; proxy-wasm build makes it\n",
    );
  });

  test.each([
    ["http://ghcr.io/acme/f", /begins with http:\/\/; an image's reference begins with oci:\/\//],
    ["ghcr.io/acme/F", /a repository's name consists of a-z/],
    ["my-filter:1.0.0", /name the registry too/],
  ])("belong to names that Istio takes: %s", async (image, error) => {
    expect(await project.refusal({ ...plain, image }, "istio")).toMatch(error);
  });

  test("are of nothing when nothing is named", async () => {
    expect(await project.refusal(without, "istio")).toBe(
      'error: a WasmPlugin fetches the filter, and proxy-wasm.json says nowhere from where; "image" is what proxy-wasm push pushes to, "url" a server\n',
    );
  });
});

describe("what a target cannot express", () => {
  const wishes = {
    network: { kind: "network" },
    "access log": { kind: "access-log" },
    service: { kind: "service" },
    "root id": { rootId: "r" },
    phase: { phase: "authn" },
    priority: { priority: 1 },
    open: { failurePolicy: "open" },
    reload: { failurePolicy: "reload" },
    values: { environment: { values: { A: "1" } } },
    host: { environment: { host: ["A"] } },
    "stop iteration": { allowOnHeadersStopIteration: true },
    capabilities: { capabilities: ["proxy_log"] },
    "VM id": { vmId: "v" },
    "VM configuration": { vmConfiguration: "v" },
    "configuration of text": { configuration: "text" },
    "configuration of a list": { configuration: [1] },
  };

  /** What each target does not take, with where it is said to be taken. */
  test("is refused, with where it can be", async () => {
    const lines: string[] = [];
    for (const { name } of targets) {
      for (const [wish, settings] of Object.entries(wishes)) {
        const image = name === "google" ? googleImage : plain.image;
        const configurationSchema = name === "kong-meta" ? {} : undefined;
        const upstream = "http://127.0.0.1:1";
        const targets = { ...plain.targets, envoy: { upstream } };
        const content = { ...plain, image, configurationSchema, ...settings, targets };
        const { code, stderr } = await project.run(content, name);
        if (code === 0) continue;
        const alternative = /(?:; |takes it: )?proxy-wasm manifest ([\w-]+)/.exec(stderr)?.[1];
        expect([name, wish, alternative, stderr]).toEqual([name, wish, expect.any(String), expect.any(String)]);
        const other = await project.run({ ...content, image: plain.image }, alternative!);
        expect([name, wish, alternative, other.stderr]).toEqual([name, wish, alternative, ""]);
        lines.push(`${name} has no ${wish}, ${alternative} has\n`);
      }
    }
    await expect(lines.join("")).toMatchFileSnapshot("cli/manifest-limits.txt");
  });

  test("is a sentence", async () => {
    const content = { ...plain, allowOnHeadersStopIteration: true };
    expect(await project.refusal(content, "istio")).toBe(
      "error: a WasmPlugin cannot express allowOnHeadersStopIteration; istio-envoy-filter can: proxy-wasm manifest istio-envoy-filter\n",
    );
    expect(await project.refusal({ ...plain, phase: "authn" }, "envoy-gateway")).toBe(
      'error: an EnvoyExtensionPolicy cannot express the phase "authn"; istio can: proxy-wasm manifest istio; or say in targets.envoy-gateway.settings what holds there\n',
    );
  });

  test("can be otherwise in one target", async () => {
    const gateway = { ...plain.targets["envoy-gateway"], settings: { phase: "unspecified", configuration: { a: 1 } } };
    const content = { ...plain, phase: "authn", targets: { ...plain.targets, "envoy-gateway": gateway } };
    expect(parse(await project.manifest(content, "envoy-gateway")).spec.wasm[0].config).toEqual({ a: 1 });
    expect(parse(await project.manifest(content, "istio")).spec).toMatchObject({
      phase: "AUTHN",
      pluginConfig: plain.configuration,
    });
  });

  test.each([
    ["istio", { istio: { selector: { a: "b" }, targetRefs: [{ kind: "Gateway", name: "g" }] } }, /takes one of them/],
    ["envoy-gateway", {}, /has neither of targetRefs and targetSelectors; one of them is needed/],
    ["google", {}, /targets\.google has no "project"/],
    ["istio-envoy-filter", { istio: { imagePullSecret: "s" } }, /has no imagePullSecret; istio has/],
    ["envoy", { envoy: { upstream: "http://a", clusters: { upstream: "http://b" } } }, /give it another name/],
    [
      "istio",
      { istio: { settings: { environment: { values: { A: "" }, host: ["A"] } } } },
      /has A in values and in host/,
    ],
    ["envoy", { envoy: { listen: "127.0.0.1:65536" } }, /a port is at most 65535/],
  ])("of the place: %s %o", async (target, targets, error) => {
    const image = target === "google" ? googleImage : plain.image;
    expect(await project.refusal({ ...plain, image, targets }, target)).toMatch(error);
  });

  test("images from elsewhere at Google", async () => {
    expect(await project.refusal(plain, "google")).toMatch(
      /Artifact Registry only \(REGION-docker\.pkg\.dev\), and "image" is ghcr\.io/,
    );
  });
});

describe("the module", () => {
  test("is refused when no version of the proxy takes it", async () => {
    project.put("build/no.wasm", Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    expect(await project.refusal({ ...plain, module: "build/no.wasm" }, "istio")).toMatch(
      /^error: build\/no\.wasm would be refused by Istio 1\.28 to 1\.31: it exports none of proxy_abi_version/,
    );
    project.put("build/start.wasm", moduleWith('(func (export "_initialize"))'));
    expect(await project.refusal({ ...plain, module: "build/start.wasm" }, "apisix")).toMatch(
      /refused by Apache APISIX: _initialize is never called, only _start; with asc: --exportStart _start\n$/,
    );
  });

  test("comes with a warning when part of it does nothing there", async () => {
    project.put("build/ticks.wasm", moduleWith('(func (export "proxy_on_tick") (param i32) (drop (i32.const 1)))'));
    const content = { ...plain, module: "build/ticks.wasm", image: googleImage };
    const { code, stderr } = await project.run(content, "google");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "warning: google: proxy_on_tick: not supported\n" });
  });

  test("may be somewhere else", async () => {
    await project.manifest({ ...plain, module: "build/none.wasm" }, "istio");
  });
});

describe("the configuration", () => {
  const configurationSchema = {
    type: "object",
    required: ["header"],
    additionalProperties: false,
    properties: {
      header: { type: "string", pattern: "^x-" },
      limits: { items: { properties: { rate: { minimum: 1 } } } },
    },
  };

  test.each([
    [{}, '/configuration lacks "header"'],
    [{ header: "name" }, '/configuration/header must match pattern "^x-", and is "name"'],
    [{ header: "x-a", limits: [{}, { rate: -3 }] }, "/configuration/limits/1/rate must be >= 1, and is -3"],
    [{ header: "x-a", heder: 1 }, '/configuration has "heder", which is not known there; known: header, limits'],
    [undefined, '/configuration is missing, and configurationSchema wants one; "configuration": {} is an empty one'],
    ["text", '/configuration must be object, and is "text"'],
  ])("%o is compared with its schema", async (configuration, error) => {
    const text = await project.refusal(
      { ...plain, configuration, configurationSchema },
      "nginx",
      "--out",
      project.path("no.conf"),
    );
    expect(text).toBe(`error: proxy-wasm.json: ${error}\n`);
    expect(readdirSync(project.folder)).not.toContain("no.conf");
  });

  test.each([
    ["http://json-schema.org/draft-06/schema#", { const: 1 }],
    ["http://json-schema.org/draft-07/schema#", { const: 1, propertyNames: { const: "b" } }],
    ["https://json-schema.org/draft/2019-09/schema", { dependentRequired: {}, const: 1 }],
    ["https://json-schema.org/draft/2020-12/schema", { dependentRequired: {}, const: 1 }],
  ])("is compared by %s", async ($schema, schema) => {
    project.put("schema.json", JSON.stringify({ $schema, type: "object", properties: { a: schema } }));
    const content = { ...plain, configurationSchema: "schema.json" };
    await project.manifest({ ...content, configuration: { a: 1 } }, "envoy");
    expect(await project.refusal({ ...content, configuration: { a: 2 } }, "envoy")).toBe(
      "error: proxy-wasm.json: /configuration/a must be 1, and is 2\n",
    );
  });

  test("is not shown when its name is one of a credential, and in part when it is long", async () => {
    const secret = "hunter2-is-my-password";
    const properties = Object.fromEntries(
      ["password", "api_key", "apiKey", "clientSecret", "tokens"].map((name) => [name, { type: ["number", "array"] }]),
    );
    properties["tokens"] = { items: { pattern: "^x" } } as never;
    properties["text"] = { maxLength: 3 } as never;
    const content = { ...plain, configurationSchema: { properties } };
    for (const name of Object.keys(properties).slice(0, 4)) {
      expect(await project.refusal({ ...content, configuration: { [name]: secret } }, "envoy")).toMatch(
        new RegExp(
          `^error: proxy-wasm\\.json: /configuration/${name} must be [a-z,]+, and is a text, which is not shown\n$`,
        ),
      );
    }
    expect(await project.refusal({ ...content, configuration: { tokens: [secret] } }, "envoy")).not.toContain(secret);
    expect(await project.refusal({ ...content, configuration: { password: { a: secret } } }, "envoy")).toMatch(
      /and is an object\n$/,
    );
    expect(await project.refusal({ ...content, configuration: { text: "x".repeat(99) } }, "envoy")).toMatch(
      /and is "x{39}…\n$/,
    );
  });

  test.each([
    [{ $async: true }, "configurationSchema has $async, whose answer is not waited for; leave it out"],
    [
      { $schema: "http://json-schema.org/draft-04/schema#" },
      /^configurationSchema is of "http:\/\/json-schema\.org\/draft-04\/schema#", which is not known; the drafts 6, 7,/,
    ],
    [{ $schema: 4 }, /^configurationSchema is of 4, which is not known; the drafts 6, 7,/],
  ])("is not compared with %o", async (configurationSchema, error) => {
    const text = await project.refusal({ ...plain, configurationSchema }, "envoy");
    const said = text.replace(/^error: |\n$/g, "");
    expect(said).toEqual(error instanceof RegExp ? expect.stringMatching(error) : error);
  });

  test("is compared where a target has another", async () => {
    const targets = { nginx: { settings: { configuration: { header: 1 } } } };
    const content = { ...plain, configuration: { header: "x-a" }, configurationSchema, targets };
    expect(await project.refusal(content, "nginx")).toBe(
      "error: proxy-wasm.json: /targets/nginx/settings/configuration/header must be string, and is 1\n",
    );
  });

  test.each([
    [
      "none.json",
      undefined,
      "cannot read none.json: there is no such file; proxy-wasm.json names it in configurationSchema",
    ],
    ["bad.json", "{", "bad.json:1:2 is no JSON: it ends too early"],
    ["list.json", "[]", "list.json is no JSON Schema: an object was expected"],
    ["wrong.json", '{"type":"text"}', /^configurationSchema is no JSON Schema: /],
  ])("with the schema %s", async (name, text, error) => {
    if (text !== undefined) project.put(name, text);
    const written = await project.refusal({ ...plain, configurationSchema: name }, "envoy");
    expect(written.replace(/^error: |\n$/g, "")).toEqual(
      error instanceof RegExp ? expect.stringMatching(error) : error,
    );
  });
});

describe("proxy-wasm.json", () => {
  test.each([
    [{}, 'the file lacks "name"'],
    [
      { name: "My filter" },
      /^\/name must match pattern .* \(lower-case letters, digits and '-', a letter first, up to 63\), and is "My filter"$/,
    ],
    [{ name: "a", phases: "authn" }, /^the file has "phases", which is not known there; known: \$schema, name, kind,/],
    [{ name: "a", phase: "first" }, '/phase must be one of "unspecified", "authn", "authz", "stats", and is "first"'],
    [
      { name: "a", targets: { istio: { selector: "gateway" } } },
      '/targets/istio/selector must be object, and is "gateway"',
    ],
    [{ name: "a", targets: { traefik: {} } }, /^\/targets has "traefik", which is not known there; known: istio,/],
    [
      { name: "a", targets: { envoy: { upstream: "db:5432" } } },
      /^\/targets\/envoy\/upstream must match .* \(an http:\/\/ or https:\/\/ address without a path\), and is "db:5432"$/,
    ],
    [[], "the file must be object, and is a list"],
  ])("%o", async (content, error) => {
    const text = await project.refusal(content, "envoy");
    expect(text).toMatch(/^error: proxy-wasm\.json: [^\n]*\n$/);
    const said = text.slice("error: proxy-wasm.json: ".length, -1);
    expect(said).toEqual(error instanceof RegExp ? expect.stringMatching(error) : error);
  });

  test("that is not there, or no JSON", async () => {
    const missing = await command(["manifest", "envoy", "--file", project.path("none.json")]);
    expect(missing).toMatchObject({ code: 1, stdout: "" });
    expect(missing.stderr).toContain("none.json: there is no such file; it says what a manifest is written from");
    project.put("bad.json", "{name:1}");
    expect((await command(["manifest", "envoy", "--file", project.path("bad.json")])).stderr).toContain(
      'bad.json:1:2 is no JSON: "name:1}" cannot stand there',
    );
  });

  test("has a schema for editors that is a schema, in the package", () => {
    const schema = JSON.parse(readFileSync("proxy-wasm.schema.json", "utf8"));
    expect(new Ajv().validateSchema(schema)).toBe(true);
    const { files, exports } = JSON.parse(readFileSync("package.json", "utf8"));
    expect(files).toContain("proxy-wasm.schema.json");
    expect(exports).toHaveProperty(["./proxy-wasm.schema.json"]);
  });
});

describe("files", () => {
  test("are written whole, with their folder, and replaced with --force only", async () => {
    const out = project.path("deploy/new/istio.yaml");
    expect(await project.manifest(plain, "istio", "--out", out)).toBe("");
    const first = readFileSync(out, "utf8");
    expect(parse(first).kind).toBe("WasmPlugin");
    expect(await project.refusal(plain, "istio", "--out", out)).toBe(
      "error: deploy/new/istio.yaml exists; --force replaces it, --out names another file\n",
    );
    writeFileSync(out, "mine");
    await project.manifest(plain, "istio", "--out", out, "--force");
    expect(readFileSync(out, "utf8")).toBe(first);
    expect(readdirSync(project.path("deploy/new"))).toEqual(["istio.yaml"]);
    expect(await project.refusal(plain, "istio", "--out", project.path("deploy"))).toBe(
      "error: deploy is a folder; --out names a file\n",
    );
  });

  test("that cannot be written leave nothing", async () => {
    const out = project.path("build/release.wasm/istio.yaml");
    expect(await project.refusal(plain, "istio", "--out", out)).toMatch(
      /^error: cannot write build\/release\.wasm\/istio\.yaml: /,
    );
  });
});

test.each([
  [["traefik"], /^error: there is no target "traefik"; there are istio, istio-traffic-extension,/],
  [["istio", "--no-pin", "--image", "x"], /--no-pin pins none/],
  [[], /missing required argument 'target'/],
])("used wrongly: %o", async (args, error) => {
  expect(await command(["manifest", ...args])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(error),
  });
});

test("the help lists every target", async () => {
  const { stdout } = await command(["manifest", "--help"]);
  const width = Math.max(...targets.map(({ name }) => name.length));
  const lines = targets.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`);
  expect(stdout).toContain(`Targets:\n${lines.join("")}\n`);
});
