// Runs a scenario on our host. Client and upstream keep the times of live.ts, in virtual time, and what they get is
// written as HTTP/1.1 and read back, so that both observations come out of one parser.

import { PeerType } from "../../assembly/abi.ts";
import { cel } from "../../src/cel.ts";
import type { HttpProtocol, RequestHead } from "../../src/http/codec.ts";
import { receivedTrailers, requestHeaders, responseHeaders } from "../../src/http/connection.ts";
import { type HeaderEntry, HeaderMap, unjoined } from "../../src/http/header-map.ts";
import type { HttpStream } from "../../src/streams/http-stream.ts";
import type { TcpPeer } from "../../src/streams/tcp-stream.ts";
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
  type UpstreamFailure,
  VirtualClock,
} from "../../src/index.ts";
import { Http2Message, isHeadOnly, requestEntries, responseEntries, restOf, withoutReset } from "./http2.ts";
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
  type Request,
  type Response,
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
      const played = tcp
        ? converse(filter, clock, exchange, tcp)
        : new Run(filter, clock, exchange, scenario.http2).outcome();
      outcomes.push(await played);
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
  /** The request over HTTP/2. */
  readonly request2: Http2Message | undefined;
  readonly answer: Sender;
  startedAt = 0n;
  closed = false;
  answered = false;

  constructor(clock: VirtualClock, isHttp2: boolean) {
    this.answer = new Sender(clock);
    if (isHttp2) this.request2 = new Http2Message();
  }

  /** Nothing of it went out. */
  forget(): void {
    this.request.bytes = "";
    this.request2?.forget();
  }

  messages(): Message[] {
    if (this.request2) return withoutReset(this.request2.message(this.closed));
    const messages: Message[] = [];
    for (let { bytes } = this.request; bytes;) {
      const next = parse(bytes, { closed: this.closed });
      if (!next) return [...messages, { head: [bytes], end: this.closed ? "closed" : "open" }];
      messages.push(next.message);
      bytes = bytes.slice(next.length);
    }
    return messages;
  }
}

/** One exchange: a client and an upstream that speak HTTP/1.1 or HTTP/2 as Envoy's codecs hand it over. */
class Run {
  readonly #clock: VirtualClock;
  readonly #exchange: Exchange;
  readonly #stream: HttpStream;
  readonly #client = new Encoder();
  readonly #tries: [Try, ...Try[]];
  readonly #fromClient: Sender;
  /** What came to a client that speaks HTTP/2. */
  readonly #client2: Http2Message | undefined;
  /** Whether such a client has sent all of its request. */
  #sent = false;
  #closed = false;

  constructor(filter: FilterChain, clock: VirtualClock, exchange: Exchange, http2: Scenario["http2"]) {
    this.#clock = clock;
    this.#exchange = exchange;
    this.#fromClient = new Sender(clock);
    const isUpstreamHttp2 = http2 === "upstream" || http2 === "both";
    this.#tries = [new Try(clock, isUpstreamHttp2)];
    if (http2 === "client" || http2 === "both") this.#client2 = new Http2Message();
    const protocolOf = (isHttp2: boolean): HttpProtocol => (isHttp2 ? "HTTP/2" : "HTTP/1.1");
    this.#stream = filter.open({
      protocol: protocolOf(this.#client2 !== undefined),
      upstreamProtocol: protocolOf(isUpstreamHttp2),
      downstream: {
        headers: (headers, end) => {
          if (this.#client2) this.#client2.headers(headers.entries, end);
          else this.#client.head(`HTTP/1.1 ${headers.get(":status")} `, withoutPseudo(headers), end);
        },
        data: (body, end) => (this.#client2 ?? this.#client).data(latin1(body.bytes()), end),
        trailers: (trailers) => {
          if (this.#client2) this.#client2.headers(trailers.entries, true);
          else this.#client.trailers(trailers.entries);
        },
        reset: () => this.#reset(),
        watermark: (above) => this.#fromClient.stop(above),
      },
      upstream: {
        headers: (headers, end) => {
          const { request, request2 } = this.#try;
          if (request2) request2.headers(headers.entries, end);
          else sendHead(request, headers, end);
          this.#connect();
        },
        again: () => {
          this.#try.answer.abandon();
          this.#tries.push(new Try(clock, isUpstreamHttp2));
        },
        data: (body, end) => {
          const { request, request2 } = this.#try;
          (request2 ?? request).data(latin1(body.bytes()), end);
          this.#answer();
        },
        trailers: (trailers) => {
          const { request, request2 } = this.#try;
          if (request2) request2.headers(trailers.entries, true);
          else request.trailers(trailers.entries);
          this.#answer();
        },
        reset: () => this.#disconnect(),
        watermark: (above) => this.#try.answer.stop(above),
      },
    });
    const { request = {} } = exchange;
    this.#client.toHead = request.method === "HEAD";
    if (this.#client2) this.#askHttp2(filter, request);
    else this.#ask(filter, request);
  }

  #ask(filter: FilterChain, request: Request): void {
    const { method = request.body === undefined ? "GET" : "POST", path = "/", headers = [], body, trailers } = request;
    const head: RequestHead = {
      protocol: "HTTP/1.1",
      method,
      path,
      authority: undefined,
      scheme: "http",
      headers: unjoined("request", [["host", "h.test"], ...framed(headers, body, trailers !== undefined)]),
    };
    const first = requestHeaders(head, filter.random, filter.proxy.profile);
    const map = trailers && receivedTrailers("request trailers", trailers, "HTTP/1.1");
    const empty = (body === undefined || (body === "" && !map)) && method !== "CONNECT";
    this.#fromClient.send(0, () => this.#stream.requestHeaders(first, empty, head));
    if (!empty && body !== undefined)
      this.#sendBody(this.#fromClient, 0, body, (bytes, end) => this.#requestPart(bytes, end, map));
  }

  #askHttp2(filter: FilterChain, request: Request): void {
    const headers = unjoined("request", requestEntries(request));
    const [method, path] = [headers.get(":method") ?? "", headers.get(":path") ?? ""];
    const head: RequestHead = { protocol: "HTTP/2", method, path, authority: undefined, scheme: "http", headers };
    const stream = this.#stream;
    const send = (end: boolean, action: () => void): void => {
      this.#sent ||= end;
      action();
    };
    const first = requestHeaders(head, filter.random, filter.proxy.profile);
    const empty = isHeadOnly(request);
    this.#fromClient.send(0, () => send(empty, () => stream.requestHeaders(first, empty, head)));
    const rest = restOf(request, {
      data: (bytes, end) => send(end, () => stream.requestData(Buffer.from(bytes, "latin1"), end)),
      trailers: (entries) => send(true, () => stream.requestTrailers(new HeaderMap("request trailers", entries))),
    });
    for (const [after, part] of rest) this.#fromClient.send(after, part);
    if (request.resets !== undefined) this.#clock.after(request.resets, () => stream.requestReset(false));
  }

  /** The client gets no more: its stream is reset, or its connection has ended. */
  #reset(): void {
    const { details } = this.#stream;
    const isConnection = !this.#client2 || /^http2\.(invalid|violation)/.test(details ?? "");
    if (isConnection) this.#closed = true;
    else this.#client2!.reset = details === "http2.remote_reset" ? "PROTOCOL_ERROR" : "INTERNAL_ERROR";
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
    if (open) this.#stream.requestReset(true);
    const status = this.#stream.info.code ?? 0;
    const client = this.#client2 ? this.#http2Answer(this.#client2) : this.#httpAnswer(request.method === "HEAD");
    return {
      // A stream that is reset leaves the connection as it is.
      client: client ?? ((this.#client2 ? !this.#closed : open) ? "open" : "closed"),
      upstream: isRefused(this.#exchange) ? [] : this.#tries.flatMap((each) => each.messages()),
      access: `${status} ${this.#stream.details ?? "-"}`,
    };
  }

  #httpAnswer(toHead: boolean): Message | undefined {
    const answer = parse(this.#client.bytes, { toHead, closed: this.#closed });
    if (!answer) return undefined;
    const rest = this.#client.bytes.slice(answer.length);
    return rest ? { ...answer.message, rest } : answer.message;
  }

  #http2Answer(message: Http2Message): Message | undefined {
    // Nobody waits for the rest of the request.
    if (message.ended && !this.#sent) message.reset = "NO_ERROR";
    return message.message(this.#closed);
  }

  #requestPart(bytes: string, end: boolean, trailers: HeaderMap | undefined): void {
    if (end && trailers) this.#stream.requestTrailers(trailers);
    else this.#stream.requestData(Buffer.from(bytes, "latin1"), end);
  }

  /** The upstream's connection is ended: before it was made, when all happens at once, and nothing has been sent. */
  #disconnect(): void {
    const last = this.#try;
    last.closed = true;
    if (this.#clock.now() === last.startedAt) last.forget();
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

  #answerHttp2(response: Response): void {
    const { fails, after = 5, interim, code, pseudo } = response;
    const stream = this.#stream;
    const parts: (readonly [after: number, send: () => void])[] = [];
    const head = (status: number, entries: readonly HeaderEntry[]): HeaderMap =>
      responseHeaders(status, entries, stream.request.complete ? 1 : undefined, "HTTP/2", stream.profile);
    if (interim !== undefined) parts.push([0, () => stream.responseHeaders(head(interim, []), false)]);
    if (fails !== "before the head") {
      const entries = responseEntries(response).filter(([name]) => !name.startsWith(":"));
      const send = (): void => {
        const map = head(response.status ?? 200, entries);
        if (pseudo) map.delete(":status");
        for (const [name, value] of pseudo ?? []) map.add(name, value);
        stream.responseHeaders(map, isHeadOnly(response) && !fails);
      };
      parts.push([0, send]);
      const rest = restOf(response, {
        data: (bytes, end) => stream.responseData(Buffer.from(bytes, "latin1"), end),
        trailers: (trailers) => stream.responseTrailers(new HeaderMap("response trailers", trailers)),
      });
      parts.push(...rest);
    }
    const last = parts.at(-1)?.[0] ?? -GAP;
    if (fails) parts.push([last + GAP, () => stream.upstreamReset(failures[code ?? -1] ?? "remote reset")]);
    for (const [at, send] of parts) this.#try.answer.send(after + at, send);
  }

  /** Answers, once the request is complete as far as its bytes say. */
  #answer(): void {
    const { request, request2, answer, answered } = this.#try;
    const response = responseTo(this.#exchange, this.#tries.length - 1);
    if (request2) {
      if (response.fails === "refused" || answered || !(request2.ended || response.early)) return;
      this.#try.answered = true;
      return this.#answerHttp2(response);
    }
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
        responseHeaders(status, list, this.#stream.request.sent ? 1 : undefined, "HTTP/1.1", this.#stream.profile),
        empty,
      ),
    );
    if (empty) return;
    const map = trailers && receivedTrailers("response trailers", trailers, "HTTP/1.1");
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

/** How an upstream fails that resets its stream with a code; -1 is the connection's end. */
const failures: Readonly<Record<number, UpstreamFailure>> = {
  [-1]: "connection termination",
  1: "protocol error",
  7: "remote refused stream reset",
};

function sendHead(to: Encoder, headers: HeaderMap, end: boolean): void {
  const host = headers.get(":authority");
  const start = `${headers.get(":method")} ${headers.get(":path")} HTTP/1.1`;
  to.head(start, [...(host === undefined ? [] : [["host", host] as const]), ...withoutPseudo(headers)], end);
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
