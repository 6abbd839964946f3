// HTTP callouts: requests that a filter sends by itself, to a cluster. What Envoy makes of them on the way out, and of
// the answer, of a broken connection, of time that is over.
// Source: Envoy source/extensions/common/wasm/context.cc, source/common/http/async_client_impl.cc; a running Envoy 1.40.

import { Status } from "../../assembly/abi.ts";
import { decodeText, joinBytes, noBytes, toBytes, toText } from "../encoding/bytes.ts";
import type { Clock } from "../clock.ts";
import { receivedTrailers, responseHeaders } from "../http/connection.ts";
import { Misuse, Refusal, StreamError } from "../error.ts";
import { type HeaderEntry, HeaderMap } from "../http/header-map.ts";
import { headerEntries, HttpHeaders } from "../http/http-headers.ts";
import { http1Codec } from "../http/http1-codec.ts";
import type { UpstreamFailure } from "../http/response-flag.ts";
import { bytesOfEntries, CALL_BYTES, type Limits } from "../limits.ts";
import { type LocalReply, localReplyMessage, proxyReply, upstreamFailureReply } from "../http/local-reply.ts";
import type { HostProfile } from "../profiles/profile.ts";
import { type Patience, plainPatience, takePatience } from "../streams/router.ts";
import type { Trace } from "../trace.ts";
import { describeRequest, UpstreamError, type UpstreamRequest, type UpstreamResponse } from "./upstream.ts";
import type { Task, UpstreamWork } from "../upstream-work.ts";

/** A callout as the upstream sees it. */
export interface CalloutRequest extends UpstreamRequest {
  /** The cluster that it was sent to. */
  readonly cluster: string;
  /** Milliseconds that the filter gives it; 0 is no limit. */
  readonly timeoutMs: number;
  /** Aborted when nobody waits for the answer any more: time is over, or the filter has gone. */
  readonly signal: AbortSignal;
  /** Lets so many milliseconds of the filter's time pass. */
  wait(milliseconds: number): Promise<void>;
}

/**
 * Answers callouts to a cluster. A thrown `UpstreamError` is a broken connection: before the answer, which Envoy makes a
 * 503 of, or from within the body, which the filter hears of as a reset. `null` gives no answer: the callout's time
 * runs out, or a test answers by hand.
 */
export type CalloutUpstream = (request: CalloutRequest) => UpstreamResponse | null | Promise<UpstreamResponse | null>;

/** The clusters that callouts can go to, by name; `null` stands for one without a healthy host. */
export type CalloutUpstreams = Readonly<Record<string, CalloutUpstream | null>>;

/** What a filter hands over. */
export interface CalloutInit {
  readonly cluster: string;
  readonly headers: readonly HeaderEntry[];
  readonly body: Uint8Array;
  /** As a signed number. */
  readonly timeoutMs: number;
}

/** The bytes that a callout holds. */
export function bytesOfCallout({ cluster, headers, body }: CalloutInit): number {
  return CALL_BYTES + cluster.length + bytesOfEntries(headers) + body.length;
}

/** What comes back. */
export interface CalloutAnswer {
  readonly headers: HeaderMap;
  readonly body: Uint8Array;
  readonly trailers: HeaderMap | undefined;
  /** What the callback is told: how many headers, bytes and trailers. */
  readonly sizes: readonly [headers: number, bytes: number, trailers: number];
}

/** An answer given by hand. */
export interface CalloutResponse extends UpstreamResponse {
  /** Its body, in one piece; none by default. */
  readonly body?: string | Uint8Array;
}

/** The answer to a callout as the filter got it. */
export interface CalloutResult {
  /** The status code. */
  readonly status: number;
  /** All headers, `:status` included. */
  readonly headers: HttpHeaders;
  /** The body, all of it. */
  readonly body: Uint8Array;
  /** The trailers; empty when there are none. */
  readonly trailers: HttpHeaders;
  /** The body as text. */
  text(): string;
}

/** What became of a callout. `cancelled`: the plugin has gone. */
export type CalloutState = "pending" | "answered" | "reset" | "cancelled";

/** A callout that a filter has sent. */
export class Callout {
  /** The number that the filter knows it by. */
  readonly id: number;
  /** The cluster that it was sent to. */
  readonly cluster: string;
  /** What the filter asks for. */
  readonly request: CalloutRequest;
  /** What became of it. */
  state: CalloutState = "pending";
  /** What the filter got, Envoy's own 503 or 504 included; null while there is nothing, and for a reset. */
  response: CalloutResult | null = null;

  /** The bytes that the filter gave for it. @internal */
  readonly heldBytes: number;

  readonly #head: HeaderMap;
  readonly #abort = new AbortController();
  readonly #clock: Clock;
  readonly #profile: HostProfile;
  readonly #limits: Limits;
  readonly #started: bigint;
  readonly #finish: (answer: CalloutAnswer | undefined) => void;
  readonly #cancelTimeout: (() => void) | undefined;
  readonly #answersEmpty: boolean;
  #headReceived = false;
  #silent = false;

  /** @internal */
  constructor(
    id: number,
    init: CalloutInit,
    context: { clock: Clock; limits: Limits; work: UpstreamWork; trace: Trace; profile: HostProfile },
    upstream: CalloutUpstream,
    finish: (answer: CalloutAnswer | undefined) => void,
  ) {
    const { clock, work, trace, profile } = context;
    this.id = id;
    this.cluster = decodeText(init.cluster);
    this.heldBytes = bytesOfCallout(init);
    this.#profile = profile;
    this.#limits = context.limits;
    const { head, patience } = outgoingHeaders(init, profile, trace);
    const [wholeMs, tryMs] = [Number(patience.wholeMs), Number(patience.tryMs)];
    const limitMs = tryMs || wholeMs;
    this.#head = head;
    this.#answersEmpty = patience.answersEmpty;
    this.#clock = clock;
    this.#started = clock.now();
    this.#finish = (answer) => {
      const what = this.state === "answered" && answer ? `answered: ${answer.headers.get(":status")}` : this.state;
      trace.push({ kind: "note", text: `callout ${this.id} to ${this.cluster} was ${what}` });
      finish(answer);
    };
    let task: Task | undefined;
    this.request = {
      ...describeRequest(http1Codec.sendRequest(head, !init.body.length), init.body, undefined),
      cluster: this.cluster,
      timeoutMs: wholeMs,
      signal: this.#abort.signal,
      wait: (milliseconds) => task!.wait(milliseconds),
    };
    if (limitMs) this.#cancelTimeout = clock.after(limitMs, () => this.#timeout());
    const { method, path } = this.request;
    const limit = limitMs ? `, ${limitMs} ms` : "";
    trace.push({ kind: "note", text: `callout ${id} to ${this.cluster}: ${method} ${path}${limit}` });
    work.start(async (running) => {
      task = running;
      await this.#ask(upstream, context.limits.calloutBytes);
    });
  }

  /** Whether something will come of it without anybody's help. */
  get willEnd(): boolean {
    return this.state === "pending" && (!this.#silent || this.request.timeoutMs > 0);
  }

  /** Answers it by hand. The filter hears of it at once. */
  respond(response: CalloutResponse = {}): void {
    this.#needsPending();
    this.#receive(response, toBytes(response.body ?? ""));
  }

  /** Breaks the connection before an answer; Envoy makes a 503 of its own of that. */
  fail(reason: UpstreamFailure = "remote connection failure"): void {
    this.#needsPending();
    this.#fail(upstreamFailureReply(reason), "broken connection");
  }

  /** Breaks the connection in the middle of the answer: the filter gets nothing of it. */
  reset(): void {
    this.#needsPending();
    this.#end("reset", this.#status("broken connection"));
  }

  /** Nobody waits for it any more. @internal */
  cancel(): void {
    if (this.state === "pending") this.#end("cancelled", undefined);
  }

  async #ask(upstream: CalloutUpstream, mostBytes: number): Promise<void> {
    if (this.state !== "pending") return;
    let response: UpstreamResponse | null;
    let body: Uint8Array;
    try {
      response = await upstream(this.request);
      this.#silent = response === null;
      if (!response || this.state !== "pending") return;
      this.#headReceived = true;
      body = await collect(response.body, mostBytes);
    } catch (error) {
      // What a function does whose callout is over is nobody's concern.
      if (this.state !== "pending") return;
      if (!(error instanceof UpstreamError)) throw error;
      const status = error instanceof UnknownHost ? "resolver failure" : "broken connection";
      return this.#fail(upstreamFailureReply(error.reason), status);
    }
    if (this.state === "pending") this.#receive(response, body);
  }

  #timeout(): void {
    const [status, body] = this.#answersEmpty ? [204, ""] : [504, "upstream request timeout"];
    this.#fail(proxyReply(status, body, "response_timeout"), "timeout");
  }

  /** Nothing will come of it: the filter gets a reply of the proxy's own, or a word about it, or nothing. */
  #fail(reply: LocalReply, status: string): void {
    const word = this.#status(status);
    if (this.#headReceived || word) this.#end("reset", word);
    else this.#reply(reply);
  }

  /** What a filter can read of a callout that has failed, where there is something. */
  #status(status: string): CalloutAnswer | undefined {
    if (this.#profile.calloutFailure === "answer") return undefined;
    const headers = new HeaderMap("response", [[":dispatch_status", status]]);
    return { headers, body: noBytes, trailers: undefined, sizes: [0, 0, 0] };
  }

  #receive(response: UpstreamResponse, body: Uint8Array): void {
    const { status = 200, trailers } = response;
    const bodiless = this.request.method === "HEAD" || status === 204 || status === 304;
    const entries = headerEntries(response.headers);
    const framed = entries.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
    if (!framed && !bodiless && !trailers) entries.push(["content-length", String(body.length)]);
    const serviceTime = Number((this.#clock.now() - this.#started) / 1_000_000n);
    const saysTime = this.#profile.addsEnvoyHeaders;
    const headers = responseHeaders(status, entries, saysTime ? serviceTime : undefined, "HTTP/1.1", this.#profile);
    const last = trailers && receivedTrailers("response trailers", headerEntries(trailers), "HTTP/1.1");
    if (this.#profile.server === "envoy") {
      const kind = http1Codec.readResponse(headers, false, this.#limits, bodiless);
      if (kind === "interim") {
        this.#silent = true;
        return;
      }
      if (kind !== "final") return this.#reply(upstreamFailureReply(kind));
      if (last && http1Codec.refuseResponseTrailers(last, this.#limits)) return this.reset();
    }
    this.#answer({ headers, body: bodiless ? noBytes : body, trailers: last });
  }

  #reply(reply: LocalReply): void {
    this.#answer({ ...localReplyMessage(reply, this.#head), trailers: undefined });
  }

  #answer({ headers, body, trailers }: Omit<CalloutAnswer, "sizes">): void {
    if (this.#profile.calloutFailure === "answer") {
      const sizes = [headers.size, body.length, trailers?.size ?? 0] as const;
      return this.#end("answered", { headers, body, trailers, sizes });
    }
    const sizes = [headers.size - 1, body.length, 0] as const;
    headers.append(":dispatch_status", "ok");
    this.#end("answered", { headers, body, trailers: undefined, sizes });
  }

  #end(state: CalloutState, answer: CalloutAnswer | undefined): void {
    this.state = state;
    this.#cancelTimeout?.();
    if (answer && state === "answered") {
      const { headers, body, trailers } = answer;
      this.response = {
        status: Number(headers.get(":status")),
        headers: new HttpHeaders(headers),
        body,
        trailers: new HttpHeaders(trailers),
        text: () => toText(body),
      };
    }
    this.#abort.abort();
    this.#finish(answer);
  }

  #needsPending(): void {
    if (this.state === "pending") return;
    throw new StreamError(`callout ${this.id} to ${this.cluster} is not pending any more: ${this.state}`);
  }
}

/** The name of a callout's host cannot be resolved. */
export class UnknownHost extends UpstreamError {}

/** Why the host does not take a callout; undefined when it does. */
export function refuseCallout(
  init: CalloutInit,
  upstreams: CalloutUpstreams,
  profile: HostProfile,
): Refusal | undefined {
  const { cluster, timeoutMs } = init;
  const { calloutHeaders } = profile;
  if (profile.calloutTarget === "host") return refuseHost(init, profile);
  if (timeoutMs < 0) return bad(`the timeout ${timeoutMs >>> 0} is beyond 2147483647 milliseconds`);
  const name = decodeText(cluster);
  if (!Object.hasOwn(upstreams, name)) return bad(unknownCluster(name, Object.keys(upstreams)));
  const head = requestHead(init);
  const missing = calloutHeaders.filter((header) => head.get(header) === undefined);
  if (!missing.length) return undefined;
  return bad(`the callout to ${name} has no ${missing.join(" and no ")}: Envoy wants :method, :path and :authority`);
}

function refuseHost(init: CalloutInit, { calloutHeaders, title }: HostProfile): Refusal | undefined {
  if (!init.cluster) return new Misuse(Status.BadArgument, "the callout has no host");
  const head = requestHead(init);
  const missing = calloutHeaders.filter((header) => !head.get(header));
  if (!missing.length) return undefined;
  const what = `the callout to ${decodeText(init.cluster)} has no ${missing.join(" and no ")}`;
  return new Misuse(Status.BadArgument, `${what}: ${title} wants ${calloutHeaders.join(" and ")}`);
}

/** The sentence for a cluster that is not there. */
export function unknownCluster(name: string, known: readonly string[]): string {
  const names = known.length ? `known are: ${known.join(", ")}` : "none is known";
  return (
    `there is no cluster ${JSON.stringify(name)}; ${names}. ` +
    `In a test: loadFilter(…, { upstreams: { ${/^\w+$/.test(name) ? name : JSON.stringify(name)}: (request) => ({ status: 200 }) } }). ` +
    `With serve: --cluster ${name}=http://localhost:4000`
  );
}

function bad(reason: string): Refusal {
  return new Refusal(Status.BadArgument, reason);
}

function requestHead({ headers }: CalloutInit): HeaderMap {
  const map = new HeaderMap("request");
  for (const [name, value] of headers) map.add(name, value);
  return map;
}

/** The head that arrives at the upstream, and how long that has: as long as the call says, unless its headers do. */
function outgoingHeaders(
  init: CalloutInit,
  { addsEnvoyHeaders }: HostProfile,
  trace: Trace,
): { head: HeaderMap; patience: Patience } {
  const { body } = init;
  const timeoutMs = BigInt(init.timeoutMs);
  const map = requestHead(init);
  if (!addsEnvoyHeaders) {
    if (map.get(":authority") === undefined) map.set(":authority", init.cluster);
    map.set("connection", "close");
    map.set("content-length", String(body.length));
    return { head: map, patience: plainPatience(timeoutMs) };
  }
  if (body.length) map.set("content-length", String(body.length));
  map.set("x-envoy-internal", "true");
  return { head: map, patience: takePatience(map, { timeoutMs }, trace) };
}

/** All of a body; breaks the connection when it is longer than Envoy takes. */
async function collect(body: UpstreamResponse["body"], most: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of typeof body === "string" || body instanceof Uint8Array ? [body] : (body ?? [])) {
    const bytes = toBytes(piece);
    size += bytes.length;
    if (size > most) throw new UpstreamError("remote reset");
    pieces.push(bytes);
  }
  return joinBytes(pieces);
}
