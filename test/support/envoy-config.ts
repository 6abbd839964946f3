// Pieces of Envoy's configuration, and of its log, for tests that start it with many listeners.

import { freePort } from "./envoy.ts";

/** The type of a `typed_config`. */
export const type = (path: string): object => ({ "@type": `type.googleapis.com/${path}` });

/** A place on the loopback address. */
export const address = (port: number): object => ({ socket_address: { address: "127.0.0.1", port_value: port } });

/** The `config` of a Wasm filter named `name`, in a VM of its own, with this configuration. */
export function pluginConfig(name: string, configuration: string, file: string): object {
  return {
    name,
    configuration: { ...type("google.protobuf.StringValue"), value: configuration },
    vm_config: { vm_id: vmId(name), runtime: "envoy.wasm.runtime.v8", code: { local: { filename: file } } },
  };
}

/** A cluster of one server; `options` are further fields. */
export function cluster(name: string, port: number, options: object = {}): object {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }];
  return { name, type: "STATIC", load_assignment: { cluster_name: name, endpoints }, ...options };
}

/** What the streams of such a filter have logged. */
export function pluginLogs(log: string, name: string): string[] {
  const marker = `wasm log ${name} ${vmId(name)}: `;
  return log.split("\n").flatMap((line) => {
    const at = line.indexOf(marker);
    return at < 0 ? [] : [line.slice(at + marker.length)];
  });
}

/** So many free ports, each another one. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

function vmId(name: string): string {
  return `vm-${name}`;
}
