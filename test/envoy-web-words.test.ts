// The words of the SDK for a request and for properties say the same in a real Envoy and on the host.

import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import { compileFilter } from "./support/compile.ts";
import {
  cluster,
  freePorts,
  httpListener,
  leadingTo,
  pluginConfig,
  pluginLogs,
  wasmFilter,
} from "./support/envoy-config.ts";
import { explainMissingEnvoy, findEnvoy, type RunningEnvoy, startEnvoy } from "./support/envoy.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

type Headers = Record<string, string | string[]>;

const exchanges: { filter: "web-words" | "properties"; path: string; headers: Headers }[] = [
  {
    filter: "web-words",
    path: "/a%20b?a=1&b=x+%C3%BC&a",
    headers: {
      "x-many": ["1", "2"],
      cookie: 'id=7; theme="dark"; q',
      "content-type": 'Text/HTML; Charset="UTF-8"',
      "x-forwarded-for": "192.0.2.7, 192.0.2.8",
      "user-agent": "ua",
      referer: "rf",
    },
  },
  { filter: "web-words", path: "/?", headers: { cookie: "", "content-type": "none" } },
  { filter: "properties", path: "/", headers: { "x-do": "known" } },
  { filter: "properties", path: "/", headers: { "x-do": "set" } },
  { filter: "properties", path: "/", headers: { "x-do": "map", "x-path": "xds/node/metadata" } },
  { filter: "properties", path: "/", headers: { "x-do": "list", "x-path": "xds/node/metadata/list" } },
  { filter: "properties", path: "/", headers: { "x-do": "read", "x-path": "xds/listener_direction" } },
  { filter: "properties", path: "/", headers: { "x-do": "read", "x-path": "connection/mtls" } },
  { filter: "properties", path: "/", headers: { "x-do": "read", "x-path": "xds/node/metadata/num" } },
  { filter: "properties", path: "/", headers: { "x-do": "text", "x-path": "xds/node/metadata/dotted.name" } },
];

const node = { id: "n", cluster: "c", metadata: { list: ["a", true], "dotted.name": "v", num: 3 } };
const answer = { "content-type": "text/plain", "set-cookie": ["a=1", "b=2"], "content-length": "2" };

describe.skipIf(!envoy)("in a real Envoy", () => {
  const modules: Record<string, { bytes: Uint8Array; file: string }> = {};
  let upstream: Server;
  let running: RunningEnvoy;
  let ports: number[];

  beforeAll(async () => {
    for (const name of ["web-words", "properties"]) modules[name] = await compileFilter(name);
    upstream = createServer((incoming, outgoing) => {
      incoming.resume().on("end", () => outgoing.writeHead(200, answer).end("ok"));
    });
    await new Promise<void>((done) => upstream.listen(0, "127.0.0.1", done));
    ports = await freePorts(exchanges.length);
    const config = {
      node,
      static_resources: {
        listeners: exchanges.map(({ filter }, i) => listener(`s${i}`, modules[filter]!.file, ports[i]!)),
        clusters: [cluster("upstream", (upstream.address() as AddressInfo).port)],
      },
    };
    running = await startEnvoy(envoy!, JSON.stringify(config), dirname(modules["properties"]!.file));
  }, 60_000);

  afterAll(async () => {
    await running?.stop();
    upstream?.closeAllConnections();
    upstream?.close();
  });

  test.each(exchanges.map((exchange, i) => [i, `${exchange.filter} ${Object.values(exchange.headers).join(" ")}`]))(
    "%i: %s",
    async (i) => {
      const { filter: name, path, headers } = exchanges[i as number]!;
      const filter = await loadFilter(modules[name]!.bytes, {
        name: `s${i}`,
        vmId: `vm-s${i}`,
        properties: {
          "xds.node": node,
          "xds.route_metadata.filter_metadata": { ns: { k: "v" } },
          "xds.listener_direction": 2,
        },
      });
      const ours = await filter.request({ path, headers }, { upstream: () => ({ headers: answer, body: "ok" }) });
      const last = ours.logs.at(-1)!.message;
      await get(ports[i as number]!, path, headers);
      await running.logged(`vm-s${i}: ${last.replace(/\d+$/, "")}`);
      const theirs = pluginLogs(running.log(), `s${i}`);
      expect(theirs.map(masked)).toEqual(ours.logs.map(({ message }) => masked(message)));
    },
  );
});

/** A line without what differs from run to run: addresses, ports, times, the connection's number, the order of a map. */
function masked(line: string): string {
  return line
    .replace(/\{([^}]*)\}/g, (_map, entries: string) => `{${entries.split(";").sort().join(";")}}`)
    .replace(/"127\.0\.0\.1:\d+""127\.0\.0\.1"\d+/g, "(address)(ip)(port)")
    .replace(/"127\.0\.0\.1:\d+"/g, "(address)")
    .replace(/^\d+ - ""/, '(number) - ""')
    .replace(/(?<="HTTP\/1.1")\d+/, "(time)")
    .replace(/^(log ("first"|null))\d+$/, "$1(duration)");
}

function get(port: number, path: string, headers: Headers): Promise<void> {
  return new Promise((done, fail) => {
    const outgoing = request(
      { host: "127.0.0.1", port, path, headers: { host: "localhost", ...headers } },
      (incoming) => incoming.resume().on("end", done),
    );
    outgoing.on("error", fail).end();
  });
}

function listener(name: string, file: string, port: number): object {
  const route = { ...leadingTo("upstream"), metadata: { filter_metadata: { ns: { k: "v" } } } };
  const http = httpListener(name, port, [wasmFilter(pluginConfig(name, "", file), name)], [route]);
  return { ...http, traffic_direction: "OUTBOUND" };
}
