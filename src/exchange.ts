// A whole exchange in one call: a request goes in, what the client would get comes out, and an upstream is a function.

import type { Body } from "./http/body.ts";
import { type ByteString, decodeText, encodeText, joinBytes, noBytes, toBytes, toText } from "./encoding/bytes.ts";
import type { Callout } from "./callouts/callouts.ts";
import { VirtualClock } from "./clock.ts";
import type { HttpProtocol, RequestHead } from "./http/codec.ts";
import { receivedTrailers, requestHeaders, responseHeaders } from "./http/connection.ts";
import type { LoggedStream } from "./contexts/context.ts";
import type { Metadata, Which } from "./streams/direction.ts";
import { StreamError } from "./error.ts";
import type { Filter } from "./filter.ts";
import type { GrpcCallout } from "./callouts/grpc.ts";
import { grpcOutcome, type GrpcOutcome } from "./callouts/grpc-message.ts";
import type { HeaderMap } from "./http/header-map.ts";
import { headerEntries, type HeadersInit, HttpHeaders, toHeaderMap } from "./http/http-headers.ts";
import type { HttpStream } from "./streams/http-stream.ts";
import type { Peer } from "./streams/direction.ts";
import { leftovers } from "./leftovers.ts";
import type { LocalReply } from "./http/local-reply.ts";
import type { PropertyOptions } from "./properties/property-options.ts";
import type { RequestInit } from "./request-init.ts";
import type { LogEntry, Trace } from "./trace.ts";
import {
  type BodyInit,
  describeRequest,
  type Upstream,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamResponse,
} from "./callouts/upstream.ts";

/** What stands behind the proxy, and what is known besides the exchange. */
export interface ExchangeOptions {
  /** Answers what the filter lets through. */
  readonly upstream?: Upstream;
  /** What the upstream speaks; what the client speaks by default. */
  readonly upstreamProtocol?: HttpProtocol;
  /** Properties that no exchange tells. */
  readonly properties?: PropertyOptions;
}

/** What the client would get, and what happened on the way. */
export class FilterResponse {
  /** The status code. */
  readonly status: number;
  /** The headers, without `:status`. */
  readonly headers: HttpHeaders;
  /** The body, all of it. */
  readonly body: Uint8Array;
  /** The trailers; empty when there are none. */
  readonly trailers: HttpHeaders;
  /** Whether the whole response came; false when the connection was closed in its middle. */
  readonly complete: boolean;
  /** The request that the upstream saw, the last time if there were several, or null when it was never called. */
  readonly upstream: UpstreamRequest | null;
  /** How often the request was sent upstream: more than once when a filter has set `x-envoy-retry-on`. */
  readonly attempts: number;
  /** The reply that the filter or the proxy gave by itself, or null. */
  readonly localReply: {
    /** The status code. */
    readonly status: number;
    /** Why, as `%RESPONSE_CODE_DETAILS%`. */
    readonly details: string;
    /** The body as text. */
    readonly body: string;
  } | null;
  /** Why the response is what it is, as `%RESPONSE_CODE_DETAILS%`. */
  readonly details: string;
  /** The HTTP callouts that the filter sent during this exchange, oldest first. */
  readonly callouts: readonly Callout[];
  /** The gRPC calls and streams that the filter began during this exchange, oldest first. */
  readonly grpcCalls: readonly GrpcCallout[];
  /** The lines that the filter logged during this exchange. */
  readonly logs: readonly LogEntry[];
  /** Every callback and host call of this exchange. */
  readonly trace: Trace;
  /** What an access logger sees. @internal */
  readonly finished: LoggedStream;

  /** @internal */
  constructor(head: HeaderMap, client: Client, request: UpstreamRequest | null, stream: HttpStream, trace: Trace) {
    this.status = Number(head.get(":status"));
    this.headers = new HttpHeaders(head.withoutPseudo());
    this.body = client.body();
    this.trailers = new HttpHeaders(client.trailing);
    this.complete = client.complete;
    this.upstream = request;
    this.attempts = stream.info.attempts;
    this.localReply = stream.localReply ? describeReply(stream.localReply) : null;
    this.details = decodeText(stream.details ?? "");
    this.callouts = trace.callouts;
    this.grpcCalls = trace.grpcCalls;
    this.logs = trace.logs;
    this.trace = trace;
    this.finished = stream;
  }

  /** The body as text. */
  text(): string {
    return toText(this.body);
  }

  /** How a gRPC call went that got this response; null when it is none of gRPC's. */
  get grpc(): GrpcOutcome | null {
    return grpcOutcome(this.headers, this.body, this.trailers);
  }

  /** The body as JSON; throws when it is none. */
  json(): unknown {
    return JSON.parse(this.text());
  }
}

/** Collects what arrives at one end of a stream. */
export class Client implements Peer {
  head: HeaderMap | undefined;
  trailing: HeaderMap | undefined;
  complete = false;
  resetReason: string | undefined;
  /** Whether it is to send nothing for now: the filters hold back as much as they may. */
  above = false;
  /** The METADATA frames that came. */
  readonly frames: Metadata[] = [];
  #chunks: Uint8Array[] = [];

  headers(headers: HeaderMap, endOfStream: boolean): void {
    this.head = headers;
    this.complete = endOfStream;
  }

  data(data: Body, endOfStream: boolean): void {
    if (data.length) this.#chunks.push(data.bytes());
    this.complete = endOfStream;
  }

  trailers(trailers: HeaderMap): void {
    this.trailing = trailers;
    this.complete = true;
  }

  metadata(entries: Metadata): void {
    this.frames.push(entries);
  }

  reset(reason: string): void {
    this.resetReason = reason;
  }

  watermark(above: boolean): void {
    this.above = above;
  }

  /** All bytes that arrived. */
  body(): Uint8Array {
    return this.#chunks.length ? joinBytes(this.#chunks) : noBytes;
  }

  /** Forgets what arrived. */
  protected clear(): void {
    this.head = undefined;
    this.trailing = undefined;
    this.complete = false;
    this.resetReason = undefined;
    this.frames.length = 0;
    this.#chunks = [];
  }
}

/** Who answers for an upstream. */
interface ServerOwner {
  /** A further try begins. */
  askAgain(): void;
  /** Nobody waits for the answer to this try any more. */
  giveUp(): void;
}

/** Collects what arrives at the upstream, in the last try if there are several. */
export class Server extends Client {
  readonly #trace: Trace;
  readonly #owner: ServerOwner | undefined;

  /** Whoever owns it hears of the end of a try, and of further ones. */
  constructor(trace: Trace, owner?: ServerOwner) {
    super();
    this.#trace = trace;
    this.#owner = owner;
  }

  override reset(reason: string): void {
    super.reset(reason);
    this.#owner?.giveUp();
  }

  again(note: string): void {
    this.clear();
    this.#trace.push({ kind: "note", text: note });
    this.#owner?.askAgain();
  }
}

/** A request between a client and an upstream. What can go on at once is not waited for. */
export class Exchange {
  readonly #filter: Filter;
  readonly #request: RequestInit;
  readonly #upstream: Upstream;
  readonly #client = new Client();
  readonly #server: Server;
  readonly #trace: Trace;
  readonly #stream: HttpStream;
  /** What the sender of each message speaks. */
  readonly #protocols: Readonly<Record<Which, HttpProtocol>>;
  /** What the upstream was asked last. */
  #asked: UpstreamRequest | undefined;
  /** What went wrong in the upstream of the test. */
  #error: { readonly cause: unknown } | undefined;
  /** Ends the wait for what the upstream is at in this try. */
  #waits: (() => void)[] = [];

  private constructor(filter: Filter, request: RequestInit, options: ExchangeOptions) {
    this.#filter = filter;
    this.#request = request;
    this.#upstream = options.upstream ?? noUpstream;
    this.#trace = filter.newTrace();
    this.#server = new Server(this.#trace, this);
    const [downstream, upstream, trace] = [this.#client, this.#server, this.#trace];
    const { protocol = "HTTP/1.1" } = request;
    const { properties, upstreamProtocol = protocol } = options;
    this.#protocols = { request: protocol, response: upstreamProtocol };
    this.#stream = filter.open({ downstream, upstream, trace, properties, protocol, upstreamProtocol });
  }

  readonly #leftover = (): string => {
    const { method = "GET", path = "/" } = this.#request;
    const { work } = this.#filter.proxy.clusters;
    const why = work.busy
      ? "; the function of an upstream has not answered (one that calls filter.request does so before it awaits anything)"
      : "";
    return `the exchange ${method} ${path} is under way: await filter.request(…)${why}`;
  };

  /** Passes a request through a filter. */
  static async run(filter: Filter, request: RequestInit, options: ExchangeOptions): Promise<FilterResponse> {
    const exchange = new Exchange(filter, request, options);
    const stream = exchange.#stream;
    const { work } = filter.proxy.clusters;
    // An upstream may be another filter of the same proxy: it takes its time.
    const goOn = work.waitWithin();
    leftovers.add(exchange.#leftover);
    try {
      const sending = exchange.#sendRequest();
      if (sending) await sending;
      if (!exchange.#isSent) await letPass(filter, () => exchange.#isSent);
      if (exchange.#isAsking) {
        const responding = exchange.#ask();
        if (responding) await responding;
      }
      if (!stream.ended) await letPass(filter, () => stream.ended);
      exchange.#throwError();
      if (stream.ended && exchange.#isUnderWay) await letPass(filter, () => !exchange.#isUnderWay);
      exchange.#throwError();
      return exchange.#result();
    } finally {
      leftovers.delete(exchange.#leftover);
      goOn();
      // When something went wrong, the filter shall not keep the stream.
      if (!stream.ended) stream.requestReset();
    }
  }

  /** Whether the upstream has the whole request, or will never have it. */
  get #isSent(): boolean {
    return this.#server.complete || this.#stream.ended;
  }

  /** Whether it is for the upstream to answer. */
  get #isAsking(): boolean {
    return this.#server.complete && !this.#stream.ended && !this.#stream.response.message;
  }

  /** Whether a callout will have its answer by itself. */
  get #isUnderWay(): boolean {
    const { callouts, grpcCalls } = this.#trace;
    return callouts.some(willEnd) || grpcCalls.some(willEnd);
  }

  /**
   * Asks the upstream, and hands over what it answers; undefined when that is done. What comes when nobody waits for it any
   * more is dropped; an error is the test's for as long as the exchange is under way.
   */
  #ask(): Promise<void> | undefined {
    const asked = this.#describeRequest();
    this.#asked = asked;
    const { head } = this.#server;
    const isWanted = (): boolean => this.#server.head === head && !this.#isGivenUp;
    const answersHead = asked.method === "HEAD" || this.#request.method === "HEAD";
    const { work } = this.#filter.proxy.clusters;
    const task = { waits: 0 };
    try {
      const responding = work.answer(
        task,
        () => failing(() => this.#upstream(asked)),
        (answer) => {
          if (!isWanted()) return undefined;
          if (!(answer instanceof UpstreamError)) return this.#sendResponse(answer, answersHead);
          return this.#stream.upstreamReset(answer.reason);
        },
      );
      if (!responding) return undefined;
      return new Promise((resolve) => {
        const end = (): void => {
          work.end(task);
          resolve();
        };
        responding.catch((error: unknown) => this.#fail(error)).then(resolve, resolve);
        // It may have been given up while the function was called, and another try begun.
        if (isWanted()) this.#waits.push(end);
        else end();
      });
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** Whether nobody waits for the answer to this try any more. */
  get #isGivenUp(): boolean {
    return this.#server.resetReason !== undefined;
  }

  giveUp(): void {
    for (const end of this.#waits.splice(0)) end();
  }

  /** A further try begins: it is answered as it comes, whatever becomes of the answers to others. */
  askAgain(): void {
    this.#filter.clock.after(0, () => {
      if (this.#isAsking) void this.#ask();
    });
  }

  #fail(cause: unknown): void {
    this.#error ??= { cause };
    if (!this.#stream.ended) this.#stream.requestReset();
  }

  #throwError(): void {
    if (this.#error) throw this.#error.cause;
  }

  #describeRequest(): UpstreamRequest {
    return describeRequest(this.#server.head, this.#server.body(), this.#server.trailing);
  }

  /** What has come of it. */
  #result(): FilterResponse {
    const [stream, trace] = [this.#stream, this.#trace];
    if (!stream.ended) throw stuck(stream, trace);
    const { head, resetReason } = this.#client;
    if (!head) throw new StreamError(`the exchange ended without an answer: ${resetReason}\n${trace}`);
    const seen = this.#asked ?? (this.#server.complete ? this.#describeRequest() : null);
    return new FilterResponse(head, this.#client, seen, stream, trace);
  }

  /** Sends the request; undefined when that is done. */
  #sendRequest(): Promise<void> | undefined {
    const request = this.#request;
    const { trailers } = request;
    const body = encodeBody(request.body);
    const size = body instanceof Uint8Array ? body.length : undefined;
    const isHttp2 = this.#protocols.request === "HTTP/2";
    const headers = toHeaderMap("request", request.headers, false);
    if (body !== undefined && !isFramed(headers, isHttp2)) {
      if (size !== undefined && !trailers) headers.append("content-length", String(size));
      else if (!isHttp2) headers.append("transfer-encoding", "chunked");
    }
    const { method, scheme } = request;
    const { path, authority } = targetOf(request, headers.get("host"));
    const plain: RequestHead = {
      protocol: "HTTP/1.1",
      method: method === undefined ? (body === undefined ? "GET" : "POST") : encodeText(method),
      path,
      authority,
      scheme: scheme === undefined ? "http" : encodeText(scheme),
      headers,
    };
    const head = isHttp2 ? http2Head(plain) : plain;
    const { random, proxy } = this.#filter;
    const { profile } = proxy;
    const map = requestHeaders(head, random, profile);
    // What follows CONNECT is the tunnel.
    const isEmpty = (body === undefined || size === 0) && !trailers && method !== "CONNECT";
    this.#stream.requestHeaders(map, isEmpty, head);
    return isEmpty ? undefined : this.#sendBody("request", body, trailers);
  }

  /** Sends a response; undefined when that is done. */
  #sendResponse(response: UpstreamResponse, answersHead: boolean): Promise<void> | undefined {
    const { status = 200, trailers } = response;
    const body = encodeBody(response.body);
    const size = body instanceof Uint8Array ? body.length : undefined;
    const protocol = this.#protocols.response;
    const isHttp2 = protocol === "HTTP/2";
    const headers = toHeaderMap("response", response.headers, false);
    const isBodiless = answersHead || status === 204 || status === 304;
    const isSized = !isBodiless && !trailers && (size !== undefined || (body === undefined && !isHttp2));
    if (isSized && !isFramed(headers, isHttp2)) headers.append("content-length", String(size ?? 0));
    const isEmpty = isBodiless || ((body === undefined || size === 0) && !trailers);
    const { profile } = this.#stream;
    const serviceTime = profile.addsEnvoyHeaders ? 0 : undefined;
    this.#stream.responseHeaders(responseHeaders(status, headers.entries, serviceTime, protocol, profile), isEmpty);
    if (isEmpty || this.#isGivenUp) return undefined;
    return this.#sendBody("response", body, trailers);
  }

  /** Sends the pieces of a body, and what follows them; undefined when that is done. */
  #sendBody(
    which: Which,
    body: Uint8Array | Pieces | undefined,
    trailers: HeadersInit | undefined,
  ): Promise<void> | undefined {
    if (body !== undefined && !(body instanceof Uint8Array)) return this.#sendPieces(which, body, trailers);
    // HTTP/2 says with the last piece that it is the last.
    const isEnd = this.#protocols[which] === "HTTP/2" && !trailers;
    if (body?.length) this.#sendData(which, body, isEnd);
    if (body?.length && isEnd) return undefined;
    if (this.#senderOf(which).above) return this.#sendPieces(which, [], trailers);
    this.#endMessage(which, trailers);
    return undefined;
  }

  /** Sends pieces as fast as the stream takes them. */
  async #sendPieces(which: Which, pieces: Pieces, trailers: HeadersInit | undefined): Promise<void> {
    const { work } = this.#filter.proxy.clusters;
    const task = work.begin();
    if (which === "response") this.#waits.push(() => work.end(task));
    try {
      await this.#ready(which, task);
      for await (const piece of pieces) {
        if (which === "response" && this.#isGivenUp) return;
        if (piece.length) this.#sendData(which, toBytes(piece), false);
        await this.#ready(which, task);
      }
      this.#endMessage(which, trailers);
    } catch (error) {
      if (which === "request" || !(error instanceof UpstreamError)) throw error;
      this.#stream.upstreamReset(error.reason);
    } finally {
      work.end(task);
    }
  }

  #sendData(which: Which, bytes: Uint8Array, endOfStream: boolean): void {
    if (which === "request") this.#stream.requestData(bytes, endOfStream);
    else this.#stream.responseData(bytes, endOfStream);
  }

  #endMessage(which: Which, trailers: HeadersInit | undefined): void {
    // An empty chunk says that a body is over; so does an empty frame, when nobody knew it with the last piece.
    if (!trailers) return this.#sendData(which, noBytes, true);
    const map = receivedTrailers(`${which} trailers`, headerEntries(trailers), this.#protocols[which]);
    if (which === "request") this.#stream.requestTrailers(map);
    else this.#stream.responseTrailers(map);
  }

  #senderOf(which: Which): Client {
    return which === "request" ? this.#client : this.#server;
  }

  /** Lets time pass while a sender is to send nothing; a proxy that is never ready to read again is an error. */
  async #ready(which: Which, task: { waits: number }): Promise<void> {
    const sender = this.#senderOf(which);
    const isReady = (): boolean => this.#stream.ended || !sender.above;
    if (!isReady()) {
      task.waits++;
      await letPass(this.#filter, isReady);
      task.waits--;
    }
    if (isReady()) return;
    throw new StreamError(
      "the filter holds more of a body than the limit (limits.bufferBytes), so the proxy reads no more of it, and " +
        `nothing is under way that could continue it. Let the body go on, or hold less.\n${this.#trace}`,
    );
  }
}

/** What a function gives, or the `UpstreamError` that it throws. */
function failing<T>(run: () => T | Promise<T>): T | UpstreamError | Promise<T | UpstreamError> {
  const broken = (error: unknown): UpstreamError => {
    if (error instanceof UpstreamError) return error;
    throw error;
  };
  try {
    const given = run();
    return given instanceof Promise ? given.catch(broken) : given;
  } catch (error) {
    return broken(error);
  }
}

function willEnd(call: { readonly willEnd: boolean }): boolean {
  return call.willEnd;
}

function noUpstream({ method, path }: UpstreamRequest): never {
  throw new StreamError(
    `the filter lets ${method} ${path} through, and no upstream was given: ` +
      'filter.request(…, { upstream: () => ({ status: 200, body: "…" }) })',
  );
}

/** Whether a message says by itself where its body ends, or shall not say it: gRPC over HTTP/2 does not. */
function isFramed(headers: HeaderMap, isHttp2: boolean): boolean {
  if (headers.get("content-length") !== undefined || headers.get("transfer-encoding") !== undefined) return true;
  return isHttp2 && (headers.get("content-type") ?? "").startsWith("application/grpc");
}

/** What a request is for. CONNECT is for a host and port, which its path or its authority may say. */
function targetOf(
  { method, path, authority }: RequestInit,
  host: ByteString | undefined,
): Pick<RequestHead, "path" | "authority"> {
  const isConnect = method === "CONNECT";
  const byDefault = isConnect ? (path ?? "localhost") : "localhost";
  const named =
    authority === undefined ? (host === undefined ? encodeText(byDefault) : undefined) : encodeText(authority);
  const target = isConnect ? (named ?? host!) : "/";
  return { path: path === undefined ? target : encodeText(path), authority: named };
}

/** The same head with pseudo headers, in the order of most clients. */
function http2Head(head: RequestHead): RequestHead {
  const { method, path, authority, scheme } = head;
  const headers = head.headers.clone();
  headers.append(":method", method);
  const isConnect = method === "CONNECT";
  if (!isConnect) headers.append(":scheme", scheme);
  if (authority !== undefined) headers.append(":authority", authority);
  // Another path than its authority CONNECT cannot have, and is refused for it.
  if (!isConnect || path !== authority) headers.append(":path", path);
  return { ...head, protocol: "HTTP/2", headers };
}

/** A body that comes piece by piece. */
type Pieces = Exclude<BodyInit, string | Uint8Array>;

function encodeBody(body: BodyInit | undefined): Uint8Array | Pieces | undefined {
  return typeof body === "string" ? toBytes(body) : body;
}

/** Milliseconds of virtual time that a held stream is given: Envoy's default idle timeout of a stream. */
const PATIENCE_MS = 300_000;

/** Lets time pass until something is so, while it may still come to be. */
export async function letPass(filter: Filter, isSo: () => boolean): Promise<void> {
  const { clock } = filter;
  const { clusters, retries } = filter.proxy;
  const { work } = clusters;
  const goOn = work.waitWithin();
  try {
    for (let waited = 0; !isSo() && waited <= PATIENCE_MS;) {
      const isPending = clusters.pending.size || clusters.openGrpc.size || retries.underWay;
      if (work.busy || (isPending && !(clock instanceof VirtualClock))) {
        await work.changed();
        continue;
      }
      const next = clock instanceof VirtualClock ? clock.untilNext() : undefined;
      if (next === undefined) return;
      (clock as VirtualClock).advance(next);
      waited += Math.max(next, 1);
    }
  } finally {
    goOn();
  }
}

function stuck(stream: HttpStream, trace: Trace): StreamError {
  const { info, request, response } = stream;
  if (info.attempts > 1 && !response.message && !request.isHeld) {
    return new StreamError(
      `the request is still sent again after ${info.attempts} tries and ${PATIENCE_MS / 1000} s of virtual time: bound it ` +
        `with x-envoy-max-retries or a timeout.\n${trace}`,
    );
  }
  const last = trace.events.findLast((event) => event.kind === "callback");
  const what = response.isHeld ? "response" : request.isHeld ? "request" : "exchange";
  return new StreamError(
    `the ${what} is held for ever: the last callback was ${last ? last.name.replace("proxy_", "") : "none"}, and nothing ` +
      `is under way that could continue it. Continue it, answer it, or return Action.Continue.\n${trace}`,
  );
}

function describeReply(reply: LocalReply): { status: number; details: string; body: string } {
  return { status: reply.status, details: decodeText(reply.details), body: toText(reply.body) };
}
