// What a real Envoy answers to the property probe.

import { Agent, createServer, type OutgoingHttpHeaders, request, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Server as TcpServer } from "node:net";

import { address, cluster, freePorts, httpManager, type, wasmFilter } from "./envoy-config.ts";
import { startEnvoy } from "./envoy.ts";
import { configurationOf, type PropertyScenario, propertyScenarios } from "./properties.ts";

/** Where the probe for HTTP and the one for TCP are. */
interface Modules {
  readonly http: string;
  readonly tcp: string;
}

/** The lines that the probe logged in each scenario. */
export async function observeInEnvoy(
  envoy: string,
  modules: Modules,
  folder: string,
): Promise<Record<string, string[]>> {
  const names = Object.keys(propertyScenarios);
  const [http, tcp] = [startUpstream(), startTcpUpstream()];
  const ports = await freePorts(names.length + 1);
  const config = {
    node: {
      id: "node-1",
      cluster: "node-cluster",
      metadata: { NK: "nv", num: 3, nested: { k: "deep" }, list: ["a", 2], on: true, none: null },
      locality: { region: "r1" },
    },
    static_resources: {
      listeners: names.map((name, i) => listener(modules, name, i, ports[i]!)),
      clusters: [
        cluster("up", await portOf(http), clusterOptions),
        cluster("tcp-up", await portOf(tcp), clusterOptions),
        cluster("nobody", ports.at(-1)!, clusterOptions),
      ],
    },
  };
  const running = await startEnvoy(envoy, JSON.stringify(config), folder);
  try {
    for (const [i, name] of names.entries()) {
      const scenario = propertyScenarios[name]!;
      await (scenario.tcp ? sendTcp(ports[i]!, scenario) : send(ports[i]!, scenario));
      await running.logged(`vm-${i}: get|delete|`);
    }
    const lines = Object.fromEntries(names.map((name) => [name, [] as string[]]));
    for (const [, index, line] of running.log().matchAll(/wasm log (?:probe )?root vm-(\d+): ((?:get|set)\|.*)/g)) {
      lines[names[Number(index)]!]!.push(line!);
    }
    return lines;
  } finally {
    await running.stop();
    http.closeAllConnections();
    http.close();
    tcp.close();
  }
}

async function portOf(server: TcpServer): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}

function startUpstream(): Server {
  return createServer((incoming, outgoing) => {
    const scenario = Object.values(propertyScenarios).find(({ path }) => path === incoming.url);
    incoming.resume().on("end", () => {
      const { headers, body, trailers } = scenario!.response!;
      outgoing.sendDate = false;
      outgoing.removeHeader("connection");
      outgoing.writeHead(200, headers as Record<string, string>);
      outgoing.write(body);
      if (trailers) outgoing.addTrailers(trailers);
      outgoing.end();
    });
  });
}

function startTcpUpstream(): TcpServer {
  const { body } = propertyScenarios["a TCP connection"]!.response!;
  return createTcpServer((socket) => {
    socket.on("error", () => {}).once("data", () => socket.write(body));
  });
}

/** Sends the request of a scenario and waits until all is over, an answer or none. */
function send(port: number, scenario: PropertyScenario): Promise<void> {
  return new Promise((done) => {
    const { method, path, body, trailers } = scenario;
    const headers = scenario.headers as OutgoingHttpHeaders;
    const agent = new Agent({ keepAlive: true });
    const finish = (): void => {
      agent.destroy();
      done();
    };
    const outgoing = request({ host: "127.0.0.1", port, method, path, headers, agent }, (incoming) => {
      incoming.resume().on("close", finish);
    });
    outgoing.on("error", finish);
    if (body !== undefined) outgoing.write(body);
    if (trailers) outgoing.addTrailers(trailers);
    outgoing.end();
  });
}

/** Sends the bytes of a scenario, and resets the connection when there is an answer. */
function sendTcp(port: number, { body }: PropertyScenario): Promise<void> {
  return new Promise((done, fail) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(body!));
    socket.on("error", fail).once("data", () => {
      socket.resetAndDestroy();
      done();
    });
  });
}

const clusterOptions = {
  connect_timeout: "1s",
  metadata: { filter_metadata: { cns: { k: "cv" } } },
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      ...type("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
      explicit_http_config: { http_protocol_options: { enable_trailers: true } },
      // Every exchange has a connection of its own, which the upstream's properties tell of once it stands.
      common_http_protocol_options: { max_requests_per_connection: 1 },
    },
  },
};

function listener(modules: Modules, name: string, index: number, port: number): object {
  const { tcp } = propertyScenarios[name]!;
  const config = {
    name: "probe",
    root_id: "root",
    vm_config: {
      vm_id: `vm-${index}`,
      runtime: "envoy.wasm.runtime.v8",
      code: { local: { filename: tcp ? modules.tcp : modules.http } },
    },
    configuration: { ...type("google.protobuf.StringValue"), value: configurationOf(name) },
  };
  return {
    name: `l-${index}`,
    address: address(port),
    traffic_direction: "INBOUND",
    metadata: { filter_metadata: { lns: { lk: "lv", n: 5 } } },
    filter_chains: [{ name: "fc", filters: tcp ? tcpFilters(config) : [httpFilters(config, name)] }],
  };
}

function tcpFilters(config: object): object[] {
  const proxy = { ...type("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"), stat_prefix: "main" };
  return [
    { name: "probe", typed_config: { ...type("envoy.extensions.filters.network.wasm.v3.Wasm"), config } },
    { name: "proxy", typed_config: { ...proxy, cluster: "tcp-up" } },
  ];
}

function httpFilters(config: object, name: string): object {
  const route = {
    name: "r-up",
    match: { prefix: "/" },
    metadata: { filter_metadata: { rns: { rk: "rv" } } },
    route: { cluster: name === "an upstream that is not there" ? "nobody" : "up" },
  };
  const host = {
    name: "vh",
    metadata: { filter_metadata: { vns: { l: [true, 2, "x", { k: null }] } } },
    domains: ["*"],
    routes: [route],
  };
  return httpManager("main", [wasmFilter(config, "probe")], [], {
    http_protocol_options: { enable_trailers: true },
    route_config: { virtual_hosts: [host] },
  });
}
