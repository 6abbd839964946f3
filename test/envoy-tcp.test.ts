// The same connections through our host and through a real Envoy: what the filter logs, and what reaches either end.

import { rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  type FailurePolicy,
  type Filter,
  loadFilter,
  PeerType,
  type TcpConnection,
  type VirtualClock,
} from "../src/index.ts";
import { compileFilter, type Compiled } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy, type RunningEnvoy, startEnvoy } from "./support/envoy.ts";
import { address, cluster, freePorts, pluginConfig, pluginLogs, type } from "./support/envoy-config.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

interface Scenario {
  readonly mode: string;
  readonly steps: readonly string[];
  readonly policy?: FailurePolicy;
  /** The listener's `per_connection_buffer_limit_bytes`. */
  readonly limit?: number;
}

/**
 * What either side does, in order: `client abc` sends, `client end` half-closes, `client reset` is gone, `tick` waits for
 * the filter's. What comes of it is compared after each of these, or after several joined by `+`.
 */
const scenarios: readonly Scenario[] = [
  { mode: "pass", steps: ["connect", "client abc", "server def", "server end", "client end"] },
  { mode: "pass", steps: ["connect", "client abc", "client end", "server def", "server end"] },
  { mode: "pass", steps: ["connect", "client abc", "client reset"] },
  { mode: "pass", steps: ["connect", "client abc", "server reset"] },
  { mode: "pause-downstream", steps: ["connect", "client abc", "client def", "client go"] },
  { mode: "pause-downstream", steps: ["connect", "client abc", "client end", "server def", "server end"] },
  { mode: "pause-downstream", steps: ["connect", "client abc", "server end"] },
  { mode: "pause-downstream", limit: 4, steps: ["connect", "client abcdef", "client go", "server def"] },
  { mode: "tick-downstream", limit: 4, steps: ["connect", "client abcdef + tick", "client go"] },
  {
    mode: "pause-upstream",
    steps: ["connect", "client abc", "server abc", "server def", "server go", "server end", "client end"],
  },
  { mode: "pause-upstream", steps: ["connect", "server abc", "server end", "client end"] },
  { mode: "pause-upstream", steps: ["connect", "server abc", "server reset"] },
  { mode: "continue-new", steps: ["connect", "client abc", "server end", "client end"] },
  { mode: "continue-downstream", steps: ["connect", "client abc", "client end", "server end"] },
  { mode: "continue-paused-downstream", steps: ["connect", "client abc", "client def", "client end", "server end"] },
  { mode: "continue-paused-upstream", steps: ["connect", "server abc", "server def"] },
  { mode: "write-downstream", steps: ["connect", "client abc", "client def", "client end", "server end"] },
  { mode: "write-upstream", steps: ["connect", "server abc", "server end", "client end"] },
  { mode: "close-new", steps: ["connect"] },
  { mode: "close-downstream", steps: ["connect", "client abc"] },
  { mode: "close-upstream", steps: ["connect", "server abc"] },
  { mode: "close-upstream-downstream", steps: ["connect", "client abc"] },
  { mode: "close-upstream-upstream", steps: ["connect", "server abc"] },
  { mode: "tick-new", steps: ["connect + client abc + tick", "server def"] },
  { mode: "tick-downstream", steps: ["connect", "client abc + tick", "client def + tick", "client go"] },
  {
    mode: "tick-upstream",
    steps: ["connect", "server abc + tick", "server go", "server def + tick", "server end + tick", "client end"],
  },
  { mode: "tick-close", steps: ["connect", "client abc + tick"] },
  { mode: "meddle", steps: ["connect", "client abc", "server end", "client end", "connect"] },
  { mode: "throw-upstream", steps: ["connect", "client abc", "server abc", "connect"] },
  { mode: "throw-downstream", steps: ["connect", "client abc", "connect"] },
  { mode: "throw-close", steps: ["connect", "client abc", "client reset", "connect"] },
  { mode: "throw-downstream", policy: "open", steps: ["connect", "client abc", "connect", "client abc", "server def"] },
  {
    mode: "throw-downstream",
    policy: "fail_open",
    steps: ["connect", "client abc", "client def", "connect", "client abc"],
  },
  { mode: "throw-upstream", policy: "fail_open", steps: ["connect", "server abc", "server end", "client end"] },
];

/** What happened so far. */
interface Outcome {
  logs: string[];
  connected: boolean;
  client: string;
  server: string;
}

const withoutPlace = (line: string): string => line.replace(/^abort.*/s, "abort");
const describeEnd = (text: string, over: boolean): string => text + (over ? " (over)" : "");

describe.skipIf(!envoy)("a TCP connection in a real Envoy", () => {
  let compiled: Compiled;
  let upstream: Server;
  let running: RunningEnvoy;
  const accepted: Socket[] = [];
  let ports: number[] = [];

  beforeAll(async () => {
    compiled = await compileFilter("tcp");
    upstream = createServer({ allowHalfOpen: true }, (socket) => void accepted.push(socket));
    await new Promise<void>((done) => upstream.listen(0, "127.0.0.1", done));
    ports = await freePorts(scenarios.length);
    const listeners = scenarios.map((scenario, i) => listener(`s${i}`, scenario, ports[i]!, compiled.file));
    const config = {
      static_resources: { listeners, clusters: [cluster("upstream", (upstream.address() as AddressInfo).port)] },
    };
    running = await startEnvoy(envoy!, JSON.stringify(config), dirname(compiled.file));
  }, 60_000);

  afterAll(async () => {
    await running?.stop();
    for (const socket of accepted) socket.destroy();
    upstream?.close();
    await rm(dirname(compiled.file), { recursive: true, force: true });
  });

  for (const [i, { mode, policy = "closed", limit, steps }] of scenarios.entries()) {
    test(`${mode} (${policy}): ${steps.join(", ")}`, async () => {
      const filter = await loadFilter(compiled.bytes, {
        config: mode,
        failurePolicy: policy,
        ...(limit === undefined ? {} : { limits: { bufferBytes: limit } }),
      });
      const begin = (): [Simulated, Real] => [
        new Simulated(filter),
        new Real(ports[i]!, accepted, () => pluginLogs(running.log(), `s${i}`).map(withoutPlace)),
      ];
      let [ours, theirs] = begin();
      try {
        for (const [at, group] of steps.entries()) {
          if (at && group.startsWith("connect")) {
            theirs.end();
            [ours, theirs] = begin();
          }
          for (const step of group.split(" + ")) {
            ours.do(step);
            await theirs.do(step);
          }
          await expect.poll(() => theirs.outcome).toEqual(ours.outcome);
        }
        expect(theirs.outcome).toEqual(ours.outcome);
      } finally {
        theirs.end();
      }
    });
  }
});

/** The connection on our host. */
class Simulated {
  readonly #connection: TcpConnection;
  readonly #clock: VirtualClock;

  constructor(filter: Filter) {
    this.#connection = filter.connection();
    this.#clock = filter.clock as VirtualClock;
  }

  do(step: string): void {
    const [who, what] = step.split(" ") as [string, string];
    const endStream = what === "end";
    const connection = this.#connection;
    if (step === "connect") connection.connect();
    else if (step === "tick") this.#clock.advance(20);
    else if (step === "client reset") connection.downstreamClose(PeerType.Remote);
    else if (step === "server reset") connection.upstreamClose();
    else if (who === "client") connection.downstreamData(endStream ? "" : what, { endStream });
    else connection.upstreamData(endStream ? "" : what, { endStream });
  }

  get outcome(): Outcome {
    const { logs, connected, downstream, upstream } = this.#connection;
    return {
      logs: logs.map(({ message }) => withoutPlace(message)),
      connected,
      client: describeEnd(downstream.text, downstream.ended || downstream.closed),
      server: describeEnd(upstream.text, upstream.ended || upstream.closed),
    };
  }
}

/** The connection through Envoy. */
class Real {
  readonly #port: number;
  readonly #accepted: Socket[];
  readonly #before: number;
  readonly #logs: () => string[];
  readonly #logsBefore: number;
  #client: Socket | undefined;
  readonly #received: Map<string, { text: string; over: boolean }> = new Map();
  #resetClient = false;

  constructor(port: number, accepted: Socket[], logs: () => string[]) {
    this.#port = port;
    this.#accepted = accepted;
    this.#before = accepted.length;
    this.#logs = logs;
    this.#logsBefore = logs().length;
  }

  get #server(): Socket | undefined {
    return this.#accepted[this.#before];
  }

  async do(step: string): Promise<void> {
    const [who, what] = step.split(" ") as [string, string];
    if (step === "tick") return;
    if (step === "connect") {
      this.#client = connect({ port: this.#port, host: "127.0.0.1", allowHalfOpen: true });
      this.#listen("client", this.#client);
      await new Promise<void>((done) => this.#client!.once("connect", done));
      return;
    }
    const socket = who === "client" ? this.#client! : this.#server!;
    if (what === "end") socket.end();
    else if (what === "reset") socket.resetAndDestroy();
    else socket.write(what);
    if (step === "client reset") this.#resetClient = true;
  }

  get outcome(): Outcome {
    if (this.#server) this.#listen("server", this.#server);
    const [client, server] = [this.#received.get("client")!, this.#received.get("server")];
    return {
      logs: this.#logs().slice(this.#logsBefore),
      connected: server !== undefined,
      client: describeEnd(client.text, client.over || this.#resetClient),
      server: describeEnd(server?.text ?? "", server?.over ?? false),
    };
  }

  end(): void {
    this.#client?.destroy();
    this.#server?.destroy();
  }

  #listen(who: string, socket: Socket): void {
    if (this.#received.has(who)) return;
    const received = { text: "", over: false };
    this.#received.set(who, received);
    socket.on("data", (bytes: Buffer) => (received.text += bytes.toString()));
    for (const event of ["end", "close", "error"]) socket.on(event, () => (received.over = true));
  }
}

const policies: Record<FailurePolicy, object> = {
  closed: {},
  open: { failure_policy: "FAIL_OPEN" },
  reload: { failure_policy: "FAIL_RELOAD" },
  fail_open: { fail_open: true },
};

function listener(name: string, { mode, policy, limit }: Scenario, port: number, file: string): object {
  const filters = [
    {
      name: "envoy.filters.network.wasm",
      typed_config: {
        ...type("envoy.extensions.filters.network.wasm.v3.Wasm"),
        config: { ...pluginConfig(name, mode, file), ...policies[policy ?? "closed"] },
      },
    },
    {
      name: "envoy.filters.network.tcp_proxy",
      typed_config: {
        ...type("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"),
        stat_prefix: name,
        cluster: "upstream",
      },
    },
  ];
  const limits = limit === undefined ? {} : { per_connection_buffer_limit_bytes: limit };
  return { name, address: address(port), filter_chains: [{ filters }], ...limits };
}
