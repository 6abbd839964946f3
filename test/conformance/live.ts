// Runs scenarios in a real Envoy: one listener, one cluster and one VM for each, clients and upstreams on bare sockets,
// so that every byte is seen. What crashes Envoy, or is refused by it, gets one of its own.

import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { address, type } from "../support/envoy-config.ts";
import { type RunningEnvoy, startEnvoy } from "../support/envoy.ts";
import { type Cluster, clusterConfig, listener, type Plugin } from "./config.ts";
import { http2Request, http2Upstream } from "./http2.ts";
import { filterOf, secondFilterOf } from "./probe.ts";
import { Services } from "./services.ts";
import {
  type Exchange,
  GAP,
  isRefused,
  type Message,
  type Observation,
  type Outcome,
  PATIENCE,
  type Response,
  responseTo,
  type Scenario,
  type Tcp,
} from "./scenario.ts";
import { mask, parse, serialize } from "./wire.ts";

/** How many scenarios share an Envoy, and how many of them run at a time. */
const [TOGETHER, AT_ONCE] = [48, 6];

/** What Envoy does with each scenario. `alone` names those that are known to end it. */
export async function runInEnvoy(
  envoy: string,
  scenarios: readonly Scenario[],
  alone: (scenario: Scenario) => boolean = () => false,
): Promise<Observation[]> {
  const found = new Map<Scenario, Observation>();
  const own = scenarios.filter((scenario) => scenario.wholeLog || scenario.removed || alone(scenario));
  const shared = scenarios.filter((scenario) => !own.includes(scenario));
  for (let i = 0; i < shared.length; i += TOGETHER) {
    const batch = shared.slice(i, i + TOGETHER);
    const observed = await runTogether(envoy, batch).catch((error: unknown) => error as Error);
    if (observed instanceof Error) own.push(...batch);
    else for (const [at, scenario] of batch.entries()) found.set(scenario, observed[at]!);
  }
  await inParallel(own, 2, async (scenario) => {
    const observed = await runTogether(envoy, [scenario]).catch((error: unknown) => error as Error);
    found.set(scenario, observed instanceof Error ? { refused: whyRefused(observed.message) } : observed[0]!);
  });
  return scenarios.map((scenario) => found.get(scenario)!);
}

/** Runs scenarios in one Envoy; rejects when it does not start, or ends while there are several. */
async function runTogether(envoy: string, scenarios: readonly Scenario[]): Promise<Observation[]> {
  const folder = await mkdtemp(join(tmpdir(), "conformance-"));
  const runs = scenarios.map((scenario, i) => new Run(scenario, scenarios.length > 1 ? `vm${i}` : "vm", folder));
  const services = new Services();
  let running: RunningEnvoy | undefined;
  try {
    await Promise.all(runs.map((run) => run.prepare()));
    // What can be removed comes from a file that can be replaced.
    const removed = runs.some((run) => run.isRemoved);
    const listeners = join(folder, "listeners.json");
    const offer = async (all: readonly object[]): Promise<void> => {
      await writeFile(`${listeners}.new`, JSON.stringify({ resources: all }));
      await rename(`${listeners}.new`, listeners);
    };
    if (removed) await offer(runs.map((run) => ({ ...type("envoy.config.listener.v3.Listener"), ...run.listener() })));
    const config = {
      node: { id: "node", cluster: "cluster" },
      ...(removed && { dynamic_resources: { lds_config: { path_config_source: { path: listeners } } } }),
      admin: { address: address(0) },
      static_resources: {
        ...(!removed && { listeners: runs.map((run) => run.listener()) }),
        clusters: [...runs.map((run) => run.cluster()), ...(await services.start())].map(clusterConfig),
      },
    };
    await writeFile(join(folder, "envoy.json"), JSON.stringify(config));
    const files = ["-c", join(folder, "envoy.json"), "--admin-address-path", join(folder, "admin")];
    const hasty = ["--file-flush-interval-msec", "20", "--drain-time-s", "1"];
    running = await startEnvoy(envoy, "{}", folder, [...files, ...hasty]);
    const admin = `http://${(await readFile(join(folder, "admin"), "utf8")).trim()}`;
    const ports = await listenerPorts(admin, runs.length);
    await inParallel(runs, AT_ONCE, (run) => run.play(ports.get(run.id)!, admin));
    if (removed) await offer([]).then(() => pause(2000));
    const crash = /Caught (.*?),/.exec(running.log())?.[1];
    if (crash && runs.length > 1) throw new Error(crash);
    return runs.map((run) => run.observation(running!.log(), crash));
  } finally {
    await running?.stop();
    for (const run of runs) run.end();
    services.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** One scenario: its upstream, its clients, and what they saw. */
class Run {
  readonly id: string;
  readonly #scenario: Scenario;
  readonly #folder: string;
  readonly #upstream: Server;
  readonly #outcomes: Omit<Outcome, "access">[] = [];
  #port = 0;
  #exchange: Exchange = {};
  #connections: { bytes: string; answered: number; closed: boolean; socket: Socket }[] = [];
  /** How many requests of the exchange it has answered. */
  #answered = 0;
  #conversations: (() => Message)[] = [];
  /** What has come over each connection of an upstream that speaks HTTP/2. */
  #http2: { heard: () => Message[]; socket: Socket }[] = [];
  #accessLog: string[] = [];
  #stats: Pick<Observation, "stats"> = {};

  constructor(scenario: Scenario, id: string, folder: string) {
    this.#scenario = scenario;
    this.id = id;
    this.#folder = folder;
    this.#upstream = createServer({ allowHalfOpen: this.#tcp !== undefined }, (socket) => {
      if (this.#exchange.tcp) this.#converse(socket, this.#exchange.tcp);
      else if (/upstream|both/.test(this.#scenario.http2 ?? "")) this.#acceptHttp2(socket);
      else this.#accept(socket);
    });
  }

  get #tcp(): Tcp | undefined {
    return (this.#scenario.exchanges ?? [this.#scenario])[0]?.tcp;
  }

  async prepare(): Promise<void> {
    await Promise.all(this.#plugins().map(({ file, bytes }) => writeFile(file, bytes)));
    await writeFile(join(this.#folder, `${this.id}.log`), "");
    await new Promise<void>((done) => this.#upstream.listen(0, "127.0.0.1", done));
    this.#port = (this.#upstream.address() as AddressInfo).port;
    const exchanges = this.#scenario.exchanges ?? [this.#scenario];
    if (exchanges.some(isRefused)) this.#upstream.close();
  }

  get isRemoved(): boolean {
    return this.#scenario.removed ?? false;
  }

  cluster(): Cluster {
    return { name: this.id, port: this.#port, http2: /upstream|both/.test(this.#scenario.http2 ?? "") };
  }

  #plugins(): (Plugin & { bytes: Uint8Array })[] {
    const { options = {}, second } = this.#scenario;
    const file = join(this.#folder, `${this.id}.wasm`);
    const first = { vmId: this.id, file, options, bytes: filterOf(this.#scenario).bytes };
    if (!second) return [first];
    const [id, bytes] = [`${this.id}b`, secondFilterOf(this.#scenario, second)];
    return [first, { vmId: id, file: join(this.#folder, `${id}.wasm`), options: { name: second.name }, bytes }];
  }

  listener(): object {
    return listener(this.id, this.#plugins(), join(this.#folder, `${this.id}.log`), this.#tcp !== undefined);
  }

  end(): void {
    for (const { socket } of [...this.#connections, ...this.#http2]) socket.destroy();
    if (this.#upstream.listening) this.#upstream.close();
  }

  async play(port: number, admin: string): Promise<void> {
    const exchanges = this.#scenario.exchanges ?? [this.#scenario];
    for (const [i, exchange] of exchanges.entries()) {
      this.#exchange = exchange;
      this.#answered = 0;
      this.#connections = this.#connections.filter((connection) => !connection.closed);
      for (const connection of this.#connections) Object.assign(connection, { bytes: "", answered: 0 });
      const client = await this.#ask(port, exchange);
      await this.#logged(i + 1);
      await pause(GAP * 3);
      this.#outcomes.push({ client, upstream: this.#requests() });
    }
    const { stats } = this.#scenario;
    if (stats === undefined) return;
    const lines = (await (await fetch(`${admin}/stats`)).text()).split("\n");
    this.#stats = { stats: lines.filter((line) => line.startsWith(stats)).sort() };
  }

  observation(log: string, crash: string | undefined): Observation {
    const alone = this.id === "vm";
    const lines = wasmLines(log)
      .filter((line) => alone || new RegExp(`^wasm log (.* )?${this.id}b?:`, "s").test(line.text))
      .map((line) =>
        this.#scenario.wholeLog ? `[${line.level}] ${line.text}` : line.text.replace(/^wasm log.*?: /, ""),
      )
      .map((line) => line.replaceAll(this.id, "vm"));
    if (crash) return mask({ crash, log: lines });
    const exchanges = this.#outcomes.map((outcome, i) => ({ ...outcome, access: this.#accessLog[i] ?? "" }));
    return mask({ log: lines, exchanges, ...this.#stats });
  }

  /** Waits until the access log has so many lines. */
  async #logged(count: number): Promise<void> {
    for (let i = 0; i < 60; i++) {
      const text = await readFile(join(this.#folder, `${this.id}.log`), "latin1");
      this.#accessLog = text.split("\n").filter(Boolean);
      if (this.#accessLog.length >= count) return;
      await pause(25);
    }
  }

  #ask(port: number, exchange: Exchange): Promise<Outcome["client"]> {
    if (exchange.tcp) return this.#connect(port, exchange.tcp);
    const isHttp2 = /client|both/.test(this.#scenario.http2 ?? "");
    return isHttp2 ? http2Request(port, exchange.request ?? {}) : this.#request(port, exchange);
  }

  #request(port: number, { request = {} }: Exchange): Promise<Outcome["client"]> {
    const { method = request.body === undefined ? "GET" : "POST", path = "/", headers = [], body, trailers } = request;
    const pieces = serialize(`${method} ${path} HTTP/1.1`, [["host", "h.test"], ...headers], body, trailers);
    const read = (closed: boolean) => parse(bytes, { toHead: method === "HEAD", closed });
    const whole = (closed: boolean): Outcome["client"] => {
      const answer = read(closed);
      if (!answer) return closed ? "closed" : "open";
      const rest = bytes.slice(answer.length);
      return rest ? { ...answer.message, rest } : answer.message;
    };
    let bytes = "";
    return new Promise((done) => {
      const socket = connect(port, "127.0.0.1").setNoDelay(true).setEncoding("latin1");
      const timers = pieces.map((piece, i) =>
        setTimeout(() => socket.writable && socket.write(piece, "latin1"), GAP * i),
      );
      const finish = (closed: boolean): void => {
        for (const timer of timers) clearTimeout(timer);
        socket
          .removeAllListeners()
          .on("error", () => {})
          .destroy();
        done(whole(closed));
      };
      timers.push(setTimeout(() => finish(false), request.leaves ?? PATIENCE + GAP * (pieces.length - 1)));
      socket.on("data", (chunk) => {
        bytes = (bytes + String(chunk)).replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, "");
        // What follows a complete answer, or another one, is part of the picture.
        if (read(false)?.message.end === "complete") timers.push(setTimeout(() => finish(false), GAP * 2));
      });
      socket.on("error", () => {});
      socket.on("close", () => finish(true));
    });
  }

  /** A TCP client: says its pieces, ends, and waits for the other end. */
  #connect(port: number, { client }: Tcp): Promise<Message> {
    return new Promise((done) => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }).setNoDelay(true);
      const heard = listen(socket);
      const say = (piece: string): void => void (socket.writable && socket.write(piece));
      const timers = client.map((piece, i) => setTimeout(() => say(piece), GAP * (i + 2)));
      timers.push(setTimeout(() => socket.end(), GAP * (client.length + 2)));
      const finish = (): void => {
        for (const timer of timers) clearTimeout(timer);
        done(heard());
        socket.destroy();
      };
      timers.push(setTimeout(finish, PATIENCE));
      socket.on("end", () => socket.end()).on("close", finish);
    });
  }

  /** A TCP upstream: says its pieces, and ends when the client has. */
  #converse(socket: Socket, { upstream }: Tcp): void {
    const heard = listen(socket.setNoDelay(true));
    this.#conversations.push(heard);
    this.#connections.push({ bytes: "", answered: 0, closed: false, socket });
    for (const [i, piece] of upstream.entries()) {
      setTimeout(() => socket.writable && socket.write(piece), GAP * (i + 2.25));
    }
    socket.on("end", () => socket.end());
  }

  #accept(socket: Socket): void {
    const connection = { bytes: "", answered: 0, closed: false, socket };
    this.#connections.push(connection);
    socket.setNoDelay(true).setEncoding("latin1");
    socket.on("error", () => {});
    socket.on("close", () => (connection.closed = true));
    socket.on("data", (chunk) => {
      connection.bytes += String(chunk);
      const messages = readAll(connection.bytes, false);
      for (; connection.answered < messages.length; connection.answered++) {
        const { head, end } = messages[connection.answered]!;
        const response = responseTo(this.#exchange, this.#answered);
        if (end !== "complete" && !response.early) return;
        this.#answered++;
        answer(socket, response, head[0]!.startsWith("HEAD "));
      }
    });
  }

  #acceptHttp2(socket: Socket): void {
    const heard = http2Upstream(socket, () => responseTo(this.#exchange, this.#answered++));
    this.#http2.push({ heard, socket });
  }

  #requests(): Message[] {
    if (this.#exchange.tcp) return this.#conversations.splice(0).map((heard) => heard());
    const http2 = this.#http2.flatMap(({ heard }) => heard());
    return [...http2, ...this.#connections.flatMap(({ bytes, closed }) => readAll(bytes, closed))];
  }
}

/** Hears what comes over a TCP connection. */
function listen(socket: Socket): () => Message {
  let body = "";
  let end: Message["end"] = "open";
  socket.setEncoding("latin1").on("data", (chunk) => (body += String(chunk)));
  socket.on("end", () => (end = "complete")).on("error", () => (end = "closed"));
  return () => ({ head: [], ...(body && { body }), end });
}

function answer(socket: Socket, response: Response, toHead: boolean): void {
  const { status = 200, headers = [], body, trailers, fails, after = 5 } = response;
  if (fails === "before the head") return void setTimeout(() => socket.destroy(), after);
  const bodiless = toHead || status === 204 || status === 304;
  const known = bodiless ? undefined : body === undefined && !trailers ? "" : body;
  const pieces = serialize(`HTTP/1.1 ${status} OK`, headers, known, bodiless ? undefined : trailers);
  if (fails) pieces.pop();
  for (const [i, piece] of pieces.entries())
    setTimeout(() => socket.writable && socket.write(piece, "latin1"), after + GAP * i);
  if (fails) setTimeout(() => socket.destroy(), after + GAP * pieces.length);
}

/** Every message that these bytes hold; what is none stands as it is. */
function readAll(bytes: string, closed: boolean): Message[] {
  const messages: Message[] = [];
  while (bytes) {
    const next = parse(bytes, { closed });
    if (!next) return [...messages, { head: [bytes], end: closed ? "closed" : "open" }];
    messages.push(next.message);
    bytes = bytes.slice(next.length);
  }
  return messages;
}

/** The lines of filters in Envoy's log, but for those of the canary and of the main thread's VM. */
function wasmLines(log: string): { level: string; text: string }[] {
  const records = log
    .replace(/\n$/, "")
    .split(/\n(?=\[\d{4}-\d\d-\d\d )/)
    .map((record) => /^\[[^\]]*\]\[(\d+)\]\[(\w+)\]\[(\w+)\] (?:\[[^\]]*\] )?([^]*)$/.exec(record))
    .filter((match) => match !== null);
  const main = records[0]?.[1];
  return records
    .filter(([, thread, , component]) => thread !== main && component === "wasm")
    .map(([, , level, , text]) => ({ level: level!, text: text! }))
    .filter(({ text }) => text.startsWith("wasm log"));
}

function whyRefused(text: string): string {
  const lines = text.split("\n").filter((line) => /\[(error|critical|warning)\]\[(wasm|main|config)\]/.test(line));
  const said = lines.map((line) => line.replace(/^(\[[^\]]*\])+ (\[[^\]]*\] )?/, ""));
  return said.find((line) => !/^error initializing|^Plugin|^exiting/.test(line)) ?? said[0] ?? text.slice(-300);
}

/** The ports of so many listeners, once they are there. */
async function listenerPorts(admin: string, count: number): Promise<Map<string, number>> {
  for (let i = 0; ; i++) {
    const { listener_statuses: statuses = [] } = (await (await fetch(`${admin}/listeners?format=json`)).json()) as {
      listener_statuses?: { name: string; local_address: { socket_address: { port_value: number } } }[];
    };
    const ports = statuses.map(
      ({ name, local_address: { socket_address } }) => [name, socket_address.port_value] as const,
    );
    if (ports.length >= count || i === 100) return new Map(ports);
    await pause(25);
  }
}

async function inParallel<T>(items: readonly T[], workers: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const one = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: workers }, one));
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
