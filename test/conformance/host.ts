// Runs a scenario on our host. Client and upstream keep the times of live.ts, in virtual time, and what they get is
// written as HTTP/1.1 and read back, so that both observations come out of one parser.

import { PeerType } from "../../assembly/abi.ts";
import { cel } from "../../src/cel.ts";
import { receivedTrailers, type RequestHead, requestHeaders, responseHeaders } from "../../src/connection.ts";
import { type HeaderMap, unjoined } from "../../src/header-map.ts";
import type { HttpStream } from "../../src/http-stream.ts";
import type { TcpPeer } from "../../src/tcp-stream.ts";
import {
  chain,
  EnvoyFault,
  type Filter,
  type FilterChain,
  type FilterOptions,
  loadFilter,
  LoadError,
  type LogEntry,
  LogLevel,
  VirtualClock,
} from "../../src/index.ts";
import { filterOf, secondFilterOf } from "./probe.ts";
import {
  type Exchange,
  GAP,
  isRefused,
  type Message,
  type Observation,
  type Outcome,
  PATIENCE,
  type Pieces,
  responseTo,
  type Scenario,
  type Tcp,
} from "./scenario.ts";
import { hostServices } from "./services.ts";
import { Encoder, mask, parse } from "./wire.ts";

/** Envoy's names of the levels. */
const levels = ["trace", "debug", "info", "warning", "error", "critical"];

/** What our host does with a scenario; `onRefusal` hears of each host call that answers something else than Ok. */
export async function runOnHost(
  scenario: Scenario,
  onRefusal: NonNullable<FilterOptions["onRefusal"]> = () => {},
): Promise<Observation> {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const { options = {}, exchanges = [scenario], second } = scenario;
  const { bufferBytes, ...rest } = options;
  const onLog = ({ level, message }: LogEntry, prefix: string): void =>
    void lines.push(scenario.wholeLog ? `[${levels[level]!}] ${prefix}: ${message}` : message);
  let first: Filter;
  let filter: FilterChain;
  try {
    first = await loadFilter(filterOf(scenario).bytes, {
      clock,
      name: "p",
      vmId: "vm",
      logLevel: LogLevel.Info,
      onLog,
      onRefusal,
      expressions: cel,
      ...hostServices(clock),
      ...rest,
      ...(bufferBytes !== undefined && { limits: { bufferBytes } }),
    });
    const behind = { proxy: first.proxy, vmId: "vmb", logLevel: LogLevel.Info, onLog, onRefusal };
    filter = second
      ? chain([first, await loadFilter(secondFilterOf(scenario, second), { ...behind, name: second.name })])
      : first;
  } catch (error) {
    if (error instanceof LoadError) return { refused: error.message };
    throw error;
  }
  // What goes wrong in the answer to a callout is thrown where nobody waits.
  let failure: unknown;
  const { work } = first.proxy.clusters;
  const watch = (): void => void work.changed().then(watch, (error: unknown) => (failure ??= error));
  watch();
  try {
    const outcomes: Outcome[] = [];
    for (const exchange of exchanges) {
      const { tcp } = exchange;
      outcomes.push(await (tcp ? converse(filter, clock, exchange, tcp) : new Run(filter, clock, exchange).outcome()));
      await pass(clock, GAP * 3);
    }
    if (scenario.removed) first.close();
    await pass(clock, GAP);
    if (failure) throw failure;
    // The canary and the main thread come first.
    if (options.mainThread) lines.splice(0, lines.lastIndexOf("context_create(1,0)"));
    return mask({ log: lines, exchanges: outcomes, ...statsOf(first, scenario) });
  } catch (error) {
    if (error instanceof EnvoyFault) return { crash: error.message };
    throw error;
  }
}

function statsOf(filter: Filter, { stats }: Scenario): Pick<Observation, "stats"> {
  if (stats === undefined) return {};
  const lines = filter.metrics.map(({ statName, exactValue }) => `${statName}: ${exactValue}`);
  return { stats: lines.filter((line) => line.startsWith(stats)).sort() };
}

/** Milliseconds that pass at once. */
const STEP = 20;

/** Lets time pass, and the functions that answer for services run. */
async function pass(clock: VirtualClock, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += STEP) {
    await new Promise(setImmediate);
    clock.advance(STEP);
  }
  await new Promise(setImmediate);
}

/** One TCP connection. */
async function converse(filter: FilterChain, clock: VirtualClock, exchange: Exchange, tcp: Tcp): Promise<Outcome> {
  const refused = isRefused(exchange);
  const ends = { client: new Listener(), upstream: new Listener() };
  const stream = filter.openConnection({ downstream: ends.client, upstream: ends.upstream });
  let connected = false;
  /** The upstream speaks from when it is connected. */
  const look = (): void => {
    if (connected || !stream.connected) return;
    connected = true;
    if (refused) return stream.close(PeerType.Local);
    for (const [i, piece] of tcp.upstream.entries()) {
      clock.after(GAP * (i + 2.25), () => stream.closed || stream.upstreamData(Buffer.from(piece), false));
    }
  };
  ends.upstream.onEnd = () => clock.after(0, () => stream.closed || stream.upstreamData(new Uint8Array(), true));
  ends.client.onEnd = () => clock.after(0, () => stream.closed || stream.downstreamData(new Uint8Array(), true));
  stream.connect();
  look();
  for (const [i, piece] of [...tcp.client, ""].entries()) {
    const isEnd = i === tcp.client.length;
    clock.after(GAP * (i + 2), () => stream.closed || stream.downstreamData(Buffer.from(piece), isEnd));
  }
  for (let waited = 0; waited < PATIENCE && !stream.closed; waited += STEP) {
    await pass(clock, STEP);
    look();
  }
  if (!stream.closed) stream.close(PeerType.Remote);
  return { client: ends.client.heard(), upstream: connected && !refused ? [ends.upstream.heard()] : [], access: "0 -" };
}

/** Hears what comes over a TCP connection. */
class Listener implements TcpPeer {
  onEnd: () => void = () => {};
  #body = "";
  #ended = false;

  data(bytes: Uint8Array, endOfStream: boolean): void {
    this.#body += latin1(bytes);
    if (endOfStream && !this.#ended) this.onEnd();
    this.#ended ||= endOfStream;
  }

  close(): void {
    this.#ended = true;
  }

  heard(): Message {
    return { head: [], ...(this.#body && { body: this.#body }), end: this.#ended ? "complete" : "open" };
  }
}

/** The upstream's end of one try. */
class Try {
  readonly request = new Encoder();
  readonly answer: Sender;
  startedAt = 0n;
  closed = false;
  answered = false;

  constructor(clock: VirtualClock) {
    this.answer = new Sender(clock);
  }
}

/** One exchange: a client and an upstream that speak HTTP/1.1 as Envoy's codec hands it over. */
class Run {
  readonly #clock: VirtualClock;
  readonly #exchange: Exchange;
  readonly #stream: HttpStream;
  readonly #client = new Encoder();
  readonly #tries: [Try, ...Try[]];
  readonly #fromClient: Sender;
  #closed = false;

  constructor(filter: FilterChain, clock: VirtualClock, exchange: Exchange) {
    this.#clock = clock;
    this.#exchange = exchange;
    this.#fromClient = new Sender(clock);
    this.#tries = [new Try(clock)];
    const { request = {} } = exchange;
    this.#stream = filter.open({
      downstream: {
        headers: (headers, end) =>
          this.#client.head(`HTTP/1.1 ${headers.get(":status")} `, withoutPseudo(headers), end),
        data: (body, end) => this.#client.data(latin1(body.bytes()), end),
        trailers: (trailers) => this.#client.trailers(trailers.entries),
        reset: () => (this.#closed = true),
        watermark: (above) => this.#fromClient.stop(above),
      },
      upstream: {
        headers: (headers, end) => {
          const host = headers.get(":authority");
          const start = `${headers.get(":method")} ${headers.get(":path")} HTTP/1.1`;
          this.#try.request.head(
            start,
            [...(host === undefined ? [] : [["host", host] as const]), ...withoutPseudo(headers)],
            end,
          );
          this.#connect();
        },
        again: () => {
          this.#try.answer.abandon();
          this.#tries.push(new Try(clock));
        },
        data: (body, end) => {
          this.#try.request.data(latin1(body.bytes()), end);
          this.#answer();
        },
        trailers: (trailers) => {
          this.#try.request.trailers(trailers.entries);
          this.#answer();
        },
        reset: () => this.#disconnect(),
        watermark: (above) => this.#try.answer.stop(above),
      },
    });
    const { method = request.body === undefined ? "GET" : "POST", path = "/", headers = [], body, trailers } = request;
    const head: RequestHead = {
      method,
      path,
      authority: undefined,
      scheme: "http",
      headers: unjoined("request", [["host", "h.test"], ...framed(headers, body, trailers !== undefined)]),
    };
    const first = requestHeaders(head, filter.random, filter.proxy.profile);
    const map = trailers && receivedTrailers("request trailers", trailers);
    const empty = (body === undefined || (body === "" && !map)) && method !== "CONNECT";
    this.#fromClient.send(0, () => this.#stream.requestHeaders(first, empty, head));
    if (!empty && body !== undefined)
      this.#sendBody(this.#fromClient, 0, body, (bytes, end) => this.#requestPart(bytes, end, map));
  }

  /** The latest. */
  get #try(): Try {
    return this.#tries.at(-1)!;
  }

  async outcome(): Promise<Outcome> {
    const { request = {} } = this.#exchange;
    const left = request.leaves ?? PATIENCE + this.#fromClient.last;
    for (let waited = 0; !this.#stream.ended && waited < left; waited += STEP) await pass(this.#clock, STEP);
    const open = !this.#stream.ended;
    if (open) this.#stream.requestReset();
    const status = this.#stream.info.code ?? 0;
    const answer = parse(this.#client.bytes, { toHead: request.method === "HEAD", closed: this.#closed });
    return {
      client: answer ? this.#whole(answer) : open ? "open" : "closed",
      upstream: this.#requests(),
      access: `${status} ${this.#stream.details ?? "-"}`,
    };
  }

  #whole({ message, length }: { message: Message; length: number }): Message {
    const rest = this.#client.bytes.slice(length);
    return rest ? { ...message, rest } : message;
  }

  #requests(): Message[] {
    if (isRefused(this.#exchange)) return [];
    return this.#tries.flatMap(({ request, closed }) => {
      const messages: Message[] = [];
      for (let { bytes } = request; bytes;) {
        const next = parse(bytes, { closed });
        if (!next) return [...messages, { head: [bytes], end: closed ? "closed" : "open" }];
        messages.push(next.message);
        bytes = bytes.slice(next.length);
      }
      return messages;
    });
  }

  #requestPart(bytes: string, end: boolean, trailers: HeaderMap | undefined): void {
    if (end && trailers) this.#stream.requestTrailers(trailers);
    else this.#stream.requestData(Buffer.from(bytes, "latin1"), end);
  }

  /** The upstream's connection is ended: before it was made, when all happens at once, and nothing has been sent. */
  #disconnect(): void {
    const last = this.#try;
    last.closed = true;
    if (this.#clock.now() === last.startedAt) last.request.bytes = "";
  }

  /** The request's head has come to the upstream. */
  #connect(): void {
    this.#try.startedAt = this.#clock.now();
    if (isRefused(this.#exchange)) {
      this.#try.answer.send(5, () => this.#stream.upstreamReset("remote connection failure"));
    } else {
      this.#answer();
    }
  }

  /** Answers, once the request is complete as far as its bytes say. */
  #answer(): void {
    const { request, answer, answered } = this.#try;
    const response = responseTo(this.#exchange, this.#tries.length - 1);
    const { status = 200, headers = [], body, trailers, fails, after = 5, early } = response;
    if (!early && parse(request.bytes, { closed: false })?.message.end !== "complete") return;
    if (fails === "refused" || answered) return;
    this.#try.answered = true;
    if (fails === "before the head") {
      answer.send(after, () => this.#stream.upstreamReset("connection termination"));
      return;
    }
    const bodiless = request.bytes.startsWith("HEAD ") || status === 204 || status === 304;
    const known = body === undefined && !trailers ? "" : body;
    const list = bodiless ? headers : framed(headers, known, trailers !== undefined);
    const empty = bodiless || (known === "" && !trailers);
    answer.send(after, () =>
      this.#stream.responseHeaders(
        responseHeaders(status, list, this.#stream.request.sent ? 1 : undefined, this.#stream.profile),
        empty,
      ),
    );
    if (empty) return;
    const map = trailers && receivedTrailers("response trailers", trailers);
    this.#sendBody(answer, after, body ?? "", (bytes, end) => {
      if (end && fails) this.#stream.upstreamReset("protocol error");
      else if (end && map) this.#stream.responseTrailers(map);
      else this.#stream.responseData(Buffer.from(bytes, "latin1"), end);
    });
  }

  /** Sends a body as HTTP/1 brings it: pieces, then what says that it is over. */
  #sendBody(sender: Sender, start: number, body: Pieces, send: (bytes: string, end: boolean) => void): void {
    const pieces = typeof body === "string" ? [body] : body;
    let at = start;
    for (const piece of pieces.filter((bytes) => bytes.length)) {
      // A text comes in one packet with its end, which is read to the end whoever wants it to stop.
      if (typeof body !== "string") sender.send((at += GAP), () => send(piece, false));
      else return sender.send(at, () => (send(piece, false), send("", true)));
    }
    sender.send(typeof body === "string" ? at : at + GAP, () => send("", true));
  }
}

/** Sends at set times, unless it is to stop; then as soon as it may again. */
class Sender {
  /** When the last part is due. */
  last = 0;
  readonly #clock: VirtualClock;
  readonly #queue: (() => void)[] = [];
  #stopped = false;
  #isAbandoned = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  send(milliseconds: number, action: () => void): void {
    this.last = milliseconds;
    this.#clock.after(milliseconds, () => {
      this.#queue.push(action);
      this.#flush();
    });
  }

  /** Sends nothing any more. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  stop(stopped: boolean): void {
    this.#stopped = stopped;
    if (!stopped) this.#clock.after(0, () => this.#flush());
  }

  #flush(): void {
    while (!this.#stopped && !this.#isAbandoned && this.#queue.length) this.#queue.shift()!();
  }
}

/** The headers with those that say how the body is framed, as `serialize` of wire.ts adds them. */
function framed(
  headers: readonly (readonly [string, string])[],
  body: Pieces | undefined,
  trailers: boolean,
): (readonly [string, string])[] {
  if (headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name))) return [...headers];
  if (typeof body === "object" || trailers) return [...headers, ["transfer-encoding", "chunked"]];
  return body === undefined ? [...headers] : [...headers, ["content-length", String(body.length)]];
}

function withoutPseudo(headers: HeaderMap): (readonly [string, string])[] {
  return headers.entries.filter(([name]) => !name.startsWith(":"));
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
