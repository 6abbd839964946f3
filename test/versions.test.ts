// Builds for each version of the ABI, on our host and in a real Envoy.

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import "../src/vitest.ts";
import { compileFilter, type Compiled, compileSource } from "./support/compile.ts";
import { type HttpFilters, startHttpFilters } from "./support/envoy-http.ts";
import { explainMissingEnvoy, findEnvoy } from "./support/envoy.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

const configs = { "0.1.0": "abi-0.1.0.json", "0.2.0": "abi-0.2.0.json", "0.2.1": "asconfig.json" };
const versions = Object.keys(configs) as (keyof typeof configs)[];
const compiled = {} as Record<keyof typeof configs, Compiled>;
// asc compiles one module after the other.
for (const version of versions) compiled[version] = await compileFilter("versions", [], configs[version]);

const start = "vm start: vm v, plugin null";
const line = 'missing null, empty "", path /x, has true false, log true, cleared true';
const headers = { "x-empty": "" };

describe.each(versions)("a build for ABI %s", (version) => {
  test("is marked, and imports what that version has", () => {
    const { imports, exports } = compiled[version];
    const markers = exports.filter((name) => name.startsWith("proxy_abi_version"));
    expect(markers).toEqual([`proxy_abi_version_${version.replaceAll(".", "_")}`]);
    expect(exports.filter((name) => name.endsWith("_headers"))).toHaveLength(2);
    const old = ["proxy_clear_route_cache", "proxy_continue_request", "proxy_get_configuration"];
    for (const call of old) expect(imports.includes(`env.${call}`)).toBe(version === "0.1.0");
    expect(imports.includes("env.proxy_continue_stream")).toBe(version !== "0.1.0");
    expect(imports.includes("env.proxy_get_log_level")).toBe(version === "0.2.1");
  });

  test("tells what is absent from what is empty, holds and continues", async () => {
    const lines: string[] = [];
    const options = { config: "p", vmConfig: "v", onLog: ({ message }: { message: string }) => lines.push(message) };
    const filter = await loadFilter(compiled[version].bytes, options);
    const response = await filter.request({ path: "/x", headers }, { upstream: () => ({}) });
    expect(response).toHaveStatus(200);
    expect(response).toHaveHeader("x-version", "yes");
    expect(lines).toEqual([start, "configure: plugin p", line]);
  });
});

test.each([
  ["0.1.0", "proxy_continue_stream", "stream: u32", "0.2.0, 0.2.1"],
  ["0.2.0", "proxy_get_log_level", "returnLevel: usize", "0.2.1"],
  ["0.2.1", "proxy_clear_route_cache", "", "0.1.0"],
] as const)(
  "a build for ABI %s that calls %s itself is refused, with its name",
  async (version, call, parameters, right) => {
    const { bytes } = await compileSource(
      `import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
    @external("env", "${call}") declare function call(${parameters}): u32;
    class Filter extends HttpContext {
      override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
        return call(${parameters && "1024"}) ? Action.Pause : Action.Continue;
      }
    }
    registerHttpContext(() => new Filter());`,
      [],
      configs[version],
    );
    await expect(loadFilter(bytes)).rejects.toThrow(new RegExp(`env\\.${call} .* \\(it belongs to ABI ${right}\\)`));
  },
);

test("closing a stream, which ABI 0.1.0 cannot, is said", async () => {
  const { bytes } = await compileSource(
    `import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";
    class Filter extends HttpContext {
      override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
        logInfo(this.close().toString());
        return Action.Continue;
      }
    }
    registerHttpContext(() => new Filter());`,
    [],
    "abi-0.1.0.json",
  );
  const response = await (await loadFilter(bytes)).request("/", { upstream: () => ({}) });
  expect(response).toHaveLogged("info", "12");
  expect(response).toHaveLogged("error", "not closed: ABI 0.1.0 cannot close a stream");
});

test("continuing a TCP stream, which ABI 0.1.0 cannot, is said", async () => {
  const { bytes } = await compileSource(
    `import { Action, logInfo, registerStreamContext, StreamContext } from "proxy-wasm/assembly";
    class Filter extends StreamContext {
      override onDownstreamData(_size: u32, _endOfStream: bool): Action {
        logInfo(this.continueDownstream().toString());
        return Action.Continue;
      }
    }
    registerStreamContext(() => new Filter());`,
    [],
    "abi-0.1.0.json",
  );
  const connection = (await loadFilter(bytes)).connection();
  connection.connect();
  const step = connection.downstreamData("a");
  expect(step).toHaveLogged("info", "12");
  expect(step).toHaveLogged("error", "not continued: ABI 0.1.0 cannot continue a TCP stream");
});

describe.skipIf(!envoy)("in a real Envoy", () => {
  let running: HttpFilters;
  beforeAll(async () => {
    const builds = versions.map((version) => {
      const { file } = compiled[version];
      return [version, { file, configuration: "p", vmConfiguration: "v" }] as const;
    });
    const environment = { A: "1", EMPTY: "", EQUALS: "a=b", É: "ö" };
    const { file } = await compileFilter("globals");
    const atStart = { file: (await compileFilter("globals-at-start")).file, environment };
    running = await startHttpFilters(envoy!, {
      ...Object.fromEntries(builds),
      globals: { file, environment },
      start: atStart,
    });
  }, 60_000);
  afterAll(() => running?.envoy.stop());

  test.each(versions)("a build for ABI %s does the same", async (version) => {
    const response = await fetch(`${running.url(version)}x`, { headers });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-version")).toBe("yes");
    await expect.poll(() => running.logs(version)).toEqual([line]);
    expect(running.envoy.log()).toContain(start);
    expect(running.envoy.log()).toContain("configure: plugin p");
  });

  test("globals work", async () => {
    expect((await fetch(running.url("globals"))).status).toBe(200);
    await expect.poll(() => running.logs("globals")).toContain("argv 0");
    const lines = running.logs("globals");
    for (const wanted of ["log", "info", "warn", "error", "Assertion failed: three", "random true", "bytes true"]) {
      expect(lines).toContain(wanted);
    }
    expect(lines.filter((text) => text.startsWith("env "))).toEqual([
      "env A=1",
      "env EMPTY=",
      "env EQUALS=a=b",
      "env É=ö",
    ]);
    const now = Number(lines.find((text) => text.startsWith("now "))!.slice(4));
    expect(Math.abs(now - Date.now())).toBeLessThan(60_000);
  });

  test("globals work while the module starts", async () => {
    expect((await fetch(running.url("start"))).status).toBe(200);
    await expect.poll(() => running.logs("start")).toEqual([expect.stringMatching(/^\d{13} true true 1$/)]);
    expect(running.envoy.log()).toContain("starting");
  });
});
