// A mesh of one gateway without Kubernetes: istiod's discovery server, Istio's agent with an Envoy, and a server behind.
// Everything but Envoy, which is the upstream build, is Istio's own code.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { freePorts } from "./envoy-config.ts";
import { buildIstio } from "./istio.ts";
import { endProcess } from "./programs.ts";

const sources = resolve(import.meta.dirname, "../istio/istiod");

/** The programs of a mesh. */
export interface MeshPrograms {
  readonly istiod: string;
  readonly agent: string;
  readonly envoy: string;
}

/** Builds Istio's programs; minutes at first, seconds later. */
export async function buildMesh(envoy: string): Promise<MeshPrograms> {
  const istiod = await buildIstio("istiod");
  return { istiod, agent: await buildIstio("istiod", "istio.io/istio/pilot/cmd/pilot-agent"), envoy };
}

/** A mesh that runs. */
export interface Mesh {
  /** Host and port of the gateway. */
  readonly address: string;
  /** Makes these manifests all that there are. */
  apply(...manifests: readonly string[]): Promise<void>;
  /** What the gateway answers once `wanted` says that it is it; an error with the logs after 20 s. */
  answer(wanted: (response: MeshAnswer) => boolean): Promise<MeshAnswer>;
  stop(): Promise<void>;
}

/** An answer of the gateway. */
export interface MeshAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Starts a gateway with the label `istio: ingressgateway` in the namespace istio-ingress. */
export async function startMesh({ istiod, agent, envoy }: MeshPrograms): Promise<Mesh> {
  const folder = mkdtempSync(join(tmpdir(), "proxy-wasm-mesh-"));
  const upstream = createServer((_request, response) => response.end("hello from upstream"));
  await new Promise<void>((done) => upstream.listen(0, "127.0.0.1", done));
  const [xds, gateway, admin, status, ready, prometheus] = await freePorts(6);
  const children: ChildProcess[] = [];
  let log = "";
  const start = (program: string, args: readonly string[], env: Record<string, string>): ChildProcess => {
    const child = spawn(program, args, { cwd: folder, env: { ...process.env, ...env } });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (log += chunk.toString()));
    children.push(child);
    return child;
  };
  const stop = async (): Promise<void> => {
    upstream.close();
    await Promise.all(children.toReversed().map((child) => endProcess(child, "SIGTERM", 15)));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const mesh = join(folder, "mesh.yaml");
    writeFileSync(mesh, "{rootNamespace: istio-system, enablePrometheusMerge: false, enableAutoMtls: false}");
    // Filters that only Istio's own build of Envoy has.
    const without = { PILOT_ENABLE_METADATA_EXCHANGE: "false", PILOT_ENABLE_ALPN_FILTER: "false" };
    const control = start(istiod, ["-xds", `127.0.0.1:${xds}`, "-mesh", mesh], without);
    const applied = lines(control, "applied");
    const network = gatewayObjects(gateway!, (upstream.address() as AddressInfo).port);
    const apply = async (...manifests: readonly string[]): Promise<void> => {
      const file = join(folder, "objects.yaml");
      writeFileSync(file, [network, ...manifests].join("\n---\n"));
      control.stdin!.write(`${file}\n`);
      if (!(await applied())) throw new Error(`istiod took no objects:\n${log}`);
    };
    await apply();
    // The agent's own folder for modules, whose path is in its program.
    mkdirSync("/var/lib/istio/data", { recursive: true });
    const proxy = {
      discoveryAddress: `127.0.0.1:${xds}`,
      controlPlaneAuthPolicy: "NONE",
      binaryPath: envoy,
      configPath: join(folder, "proxy"),
      proxyBootstrapTemplatePath: loopbackBootstrap(folder),
      proxyAdminPort: admin,
      statusPort: status,
      concurrency: 1,
      terminationDrainDuration: "1s",
    };
    start(agent, ["proxy", "router", "--proxyLogLevel=warning", "--log_output_level=default:info,wasm:debug"], {
      POD_NAME: "gateway",
      POD_NAMESPACE: "istio-ingress",
      INSTANCE_IP: "127.0.0.1",
      FILE_MOUNTED_CERTS: "true",
      PILOT_CERT_PROVIDER: "none",
      GRPC_XDS_BOOTSTRAP: "",
      DOCKER_CONFIG: folder,
      ISTIO_META_CLUSTER_ID: "Kubernetes",
      ISTIO_METAJSON_LABELS: JSON.stringify({ istio: "ingressgateway" }),
      ENVOY_STATUS_PORT: String(ready),
      ENVOY_PROMETHEUS_PORT: String(prometheus),
      PROXY_CONFIG: JSON.stringify(proxy),
    });
    const answer = async (wanted: (response: MeshAnswer) => boolean): Promise<MeshAnswer> => {
      let last: MeshAnswer | undefined;
      for (let attempt = 0; attempt < 200; attempt++) {
        last = await get(`http://127.0.0.1:${gateway}/`);
        if (last && wanted(last)) return last;
        await new Promise((done) => setTimeout(done, 100));
      }
      throw new Error(`the gateway answers ${JSON.stringify(last)}:\n${log.slice(-20_000)}`);
    };
    return { address: `127.0.0.1:${gateway}`, apply, answer, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The gateway, its one route, and the server behind it. */
function gatewayObjects(port: number, upstream: number): string {
  const object = (kind: string, name: string, spec: object): string =>
    JSON.stringify({
      apiVersion: "networking.istio.io/v1",
      kind,
      metadata: { name, namespace: "istio-ingress" },
      spec,
    });
  const server = { port: { number: port, name: "http", protocol: "HTTP" }, bind: "127.0.0.1", hosts: ["*"] };
  return [
    object("Gateway", "gateway", { selector: { istio: "ingressgateway" }, servers: [server] }),
    object("VirtualService", "routes", {
      hosts: ["*"],
      gateways: ["istio-ingress/gateway"],
      http: [{ route: [{ destination: { host: "upstream.test", port: { number: 8000 } } }] }],
    }),
    object("ServiceEntry", "upstream", {
      hosts: ["upstream.test"],
      location: "MESH_EXTERNAL",
      resolution: "STATIC",
      ports: [{ number: 8000, name: "http", protocol: "HTTP" }],
      endpoints: [{ address: "127.0.0.1", ports: { http: upstream } }],
    }),
  ].join("\n---\n");
}

/** Istio's bootstrap of Envoy, with nothing that listens to the network. */
function loopbackBootstrap(folder: string): string {
  const args = ["list", "-m", "-f", "{{.Dir}}", "istio.io/istio"];
  const istio = execFileSync("go", args, { cwd: sources, encoding: "utf8" }).trim();
  const template = readFileSync(join(istio, "tools/packaging/common/envoy_bootstrap.json"), "utf8");
  const file = join(folder, "bootstrap.json");
  writeFileSync(
    file,
    template.replaceAll("{{ .wildcard }}", "{{ .localhost }}").replaceAll("{{ .additional_wildcard }}", "::1"),
  );
  return file;
}

/** Waits for one more line of this text; false when the program has ended. */
function lines(child: ChildProcess, text: string): () => Promise<boolean> {
  const iterator = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return async () => {
    for (;;) {
      const { value, done } = await iterator.next();
      if (done) return false;
      if (value === text) return true;
    }
  };
}

async function get(url: string): Promise<MeshAnswer | undefined> {
  try {
    const response = await fetch(url, { headers: { connection: "close" }, signal: AbortSignal.timeout(5000) });
    return { status: response.status, headers: response.headers, body: await response.text() };
  } catch {
    return undefined;
  }
}
