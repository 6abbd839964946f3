// An Envoy with several filters in front of an answer of its own, and its statistics.

import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { address, answering, httpListener, type, wasmFilter } from "./envoy-config.ts";
import { freePort, type RunningEnvoy, startEnvoy } from "./envoy.ts";

/** A filter in the chain. */
export interface FilterConfig {
  /** The path of the module. */
  readonly module: string;
  readonly name?: string;
  readonly rootId?: string;
  readonly vmId?: string;
  readonly config?: string;
}

/** An Envoy that runs filters. */
export interface FiltersInEnvoy {
  readonly url: string;
  readonly running: RunningEnvoy;
  /** What the filters logged so far, without Envoy's prefix. */
  messages(): string[];
  /** A page of the admin interface. */
  admin(path: string): Promise<string>;
  /** Puts other filters in place of these, by a new configuration of the listener. */
  update(filters: readonly FilterConfig[]): Promise<void>;
  stop(): Promise<void>;
}

/** Starts Envoy with filters; `tags` are taken out of the names of metrics. */
export async function runInEnvoy(
  envoy: string,
  filters: readonly FilterConfig[],
  options: { tags?: Record<string, string>; arguments?: readonly string[] } = {},
): Promise<FiltersInEnvoy> {
  const folder = await mkdtemp(join(tmpdir(), "filters-in-envoy-"));
  const [port, adminPort] = [await freePort(), await freePort()];
  const listeners = join(folder, "listeners.json");
  const write = async (some: readonly FilterConfig[]): Promise<void> => {
    // Envoy watches for a file that is moved in.
    await writeFile(`${listeners}.new`, JSON.stringify(listenersOf(port, some)));
    await rename(`${listeners}.new`, listeners);
  };
  await write(filters);
  const bootstrap = {
    node: { id: "test", cluster: "test" },
    admin: { address: address(adminPort) },
    stats_config: {
      stats_tags: Object.entries(options.tags ?? {}).map(([name, regex]) => ({ tag_name: name, regex })),
    },
    dynamic_resources: { lds_config: { resource_api_version: "V3", path_config_source: { path: listeners } } },
  };
  const running = await startEnvoy(envoy, JSON.stringify(bootstrap), folder, options.arguments);
  return {
    url: `http://127.0.0.1:${port}`,
    running,
    messages: () => [...running.log().matchAll(/\]\swasm log[^:]*: (.*)$/gm)].map((match) => match[1]!),
    admin: async (path) => (await fetch(`http://127.0.0.1:${adminPort}${path}`)).text(),
    update: write,
    stop: async () => {
      await running.stop();
      await rm(folder, { recursive: true });
    },
  };
}

function listenersOf(port: number, filters: readonly FilterConfig[]): object {
  const wasm = filters.map(({ module, name = "filter", rootId = "", vmId = "", config = "" }) => {
    const plugin = {
      name,
      root_id: rootId,
      vm_config: { vm_id: vmId, runtime: "envoy.wasm.runtime.v8", code: { local: { filename: module } } },
      configuration: { ...type("google.protobuf.StringValue"), value: config },
    };
    return wasmFilter(plugin, name);
  });
  const listener = httpListener("main", port, wasm, [answering("ok")]);
  return { resources: [{ ...type("envoy.config.listener.v3.Listener"), ...listener }] };
}
