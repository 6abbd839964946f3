// A whole exchange in one call: a request goes in, what the client would get comes out, and an upstream is a function.

import { decodeText, encodeText, noBytes, toBytes, toText } from "./bytes.ts";
import type { Callout } from "./callouts.ts";
import { VirtualClock } from "./clock.ts";
import { requestHeaders, requestId, responseHeaders } from "./connection.ts";
import type { LoggedStream } from "./context.ts";
import type { Metadata } from "./direction.ts";
import { StreamError } from "./error.ts";
import type { Filter } from "./filter.ts";
import type { GrpcCallout } from "./grpc.ts";
import type { HeaderEntry, HeaderMap } from "./header-map.ts";
import { headerEntries, type HeadersInit, HttpHeaders, toHeaderMap } from "./http-headers.ts";
import type { HttpStream, Peer } from "./http-stream.ts";
import { leftovers } from "./leftovers.ts";
import type { LocalReply } from "./local-reply.ts";
import type { PropertyOptions } from "./property-options.ts";
import type { LogEntry, Trace } from "./trace.ts";
import {
  type BodyInit,
  describeRequest,
  type Upstream,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamResponse,
} from "./upstream.ts";

/** A request as a client sends it. */
export interface RequestInit {
  /** `GET`, unless there is a body: `POST`. */
  readonly method?: string;
  /** Path and query, `/` by default. */
  readonly path?: string;
  /** `localhost` by default. */
  readonly authority?: string;
  /** `http` by default. */
  readonly scheme?: string;
  /** Headers beside those that the words above stand for. */
  readonly headers?: HeadersInit;
  /** The body; none by default. */
  readonly body?: BodyInit;
  /** The trailers; none by default. */
  readonly trailers?: HeadersInit;
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
  /** The request that the upstream saw, or null when it was never called. */
  readonly upstream: UpstreamRequest | null;
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
  constructor(client: Client, request: UpstreamRequest | null, stream: HttpStream, trace: Trace) {
    this.status = Number(client.head!.get(":status"));
    this.headers = new HttpHeaders(client.head!.withoutPseudo());
    this.body = client.body();
    this.trailers = new HttpHeaders(client.trailing);
    this.complete = client.complete;
    this.upstream = request;
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
  readonly #chunks: Uint8Array[] = [];

  headers(headers: HeaderMap, endOfStream: boolean): void {
    this.head = headers;
    this.complete = endOfStream;
  }

  data(data: { bytes(): Uint8Array }, endOfStream: boolean): void {
    this.#chunks.push(data.bytes());
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
    if (!this.#chunks.length) return noBytes;
    const whole = new Uint8Array(this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }
}

/** Passes a request through a filter. */
export async function exchange(
  filter: Filter,
  init: string | RequestInit,
  upstream: Upstream | undefined,
  properties?: PropertyOptions,
): Promise<FilterResponse> {
  const request = typeof init === "string" ? { path: init } : init;
  const [client, server, trace] = [new Client(), new Client(), filter.newTrace()];
  const stream = filter.open({ downstream: client, upstream: server, trace, properties });
  const { method = "GET", path = "/" } = request;
  const leftover = (): string => `the exchange ${method} ${path} is under way: await filter.request(…)`;
  leftovers.add(leftover);
  try {
    const flow = (sender: Client) => () => (sender.above ? awaitFlow(filter, stream, sender, trace) : undefined);
    await sendRequest(filter, stream, request, flow(client));
    await letPass(filter, () => server.complete || stream.ended);
    const seen =
      server.complete && !stream.ended && !stream.response.message
        ? describeRequest(server.head, server.body(), server.trailing)
        : null;
    if (seen) await sendResponse(stream, seen, upstream ?? noUpstream, request, flow(server));
    await letPass(filter, () => stream.ended);
    if (!stream.ended) throw stuck(stream, trace);
    await letPass(filter, () => !isUnderWay(trace.callouts) && !isUnderWay(trace.grpcCalls));
    if (!client.head) throw new StreamError(`the exchange ended without an answer: ${client.resetReason}\n${trace}`);
    return new FilterResponse(
      client,
      seen ?? (server.complete ? describeRequest(server.head, server.body(), server.trailing) : null),
      stream,
      trace,
    );
  } finally {
    leftovers.delete(leftover);
    // When something went wrong, the filter shall not keep the stream.
    if (!stream.ended) stream.requestReset();
  }
}

/** Whether one of these calls will have its answer by itself. */
function isUnderWay(calls: readonly { readonly willEnd: boolean }[]): boolean {
  return calls.some((call) => call.willEnd);
}

function noUpstream({ method, path }: UpstreamRequest): never {
  throw new StreamError(
    `the filter lets ${method} ${path} through, and no upstream was given: ` +
      'filter.request(…, { upstream: () => ({ status: 200, body: "…" }) })',
  );
}

async function sendRequest(filter: Filter, stream: HttpStream, request: RequestInit, flow: Flow): Promise<void> {
  const { trailers } = request;
  const body = encodeBody(request.body);
  const size = body instanceof Uint8Array ? body.length : undefined;
  const headers = headerEntries(request.headers);
  if (body !== undefined && !isFramed(headers)) {
    headers.push(size === undefined || trailers ? ["transfer-encoding", "chunked"] : ["content-length", String(size)]);
  }
  const head = {
    method: encodeText(request.method ?? (body === undefined ? "GET" : "POST")),
    path: encodeText(request.path ?? "/"),
    authority: encodeText(request.authority ?? authorityIn(headers) ?? "localhost"),
    scheme: encodeText(request.scheme ?? "http"),
    headers,
  };
  const id = filter.proxy.profile.addsEnvoyHeaders ? requestId(filter.random) : undefined;
  const map = requestHeaders(head, id);
  const empty = (body === undefined || size === 0) && !trailers;
  stream.requestHeaders(map, empty);
  if (empty) return;
  await sendBody(body, (bytes) => stream.requestData(bytes, false), flow);
  if (trailers) stream.requestTrailers(toHeaderMap("trailers", trailers));
  // HTTP/1 says by an empty chunk that a body is over.
  else stream.requestData(noBytes, true);
}

async function sendResponse(
  stream: HttpStream,
  request: UpstreamRequest,
  upstream: Upstream,
  init: RequestInit,
  flow: Flow,
): Promise<void> {
  let response: UpstreamResponse;
  try {
    response = await upstream(request);
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return stream.upstreamReset(error.reason);
  }
  const { status = 200, trailers } = response;
  const body = encodeBody(response.body);
  const size = body instanceof Uint8Array ? body.length : undefined;
  const headers = headerEntries(response.headers);
  const bodiless = request.method === "HEAD" || init.method === "HEAD" || status === 204 || status === 304;
  const isSized = !bodiless && !trailers && (size !== undefined || body === undefined);
  if (isSized && !isFramed(headers)) {
    headers.push(["content-length", String(size ?? 0)]);
  }
  const empty = bodiless || ((body === undefined || size === 0) && !trailers);
  stream.responseHeaders(responseHeaders(status, headers, stream.profile.addsEnvoyHeaders ? 0 : undefined), empty);
  if (empty) return;
  try {
    await sendBody(body, (bytes) => stream.responseData(bytes, false), flow);
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return stream.upstreamReset(error.reason);
  }
  if (trailers) stream.responseTrailers(toHeaderMap("trailers", trailers));
  else stream.responseData(noBytes, true);
}

/** Whether a message says by itself where its body ends. */
function isFramed(headers: readonly HeaderEntry[]): boolean {
  return headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
}

/** A body as bytes, where it comes in one piece. */
function encodeBody(body: BodyInit | undefined): Exclude<BodyInit, string> | undefined {
  return typeof body === "string" ? toBytes(body) : body;
}

/** Waits until more of a body may come; undefined when it may come now. */
type Flow = () => Promise<void> | undefined;

/** Sends the pieces of a body. */
async function sendBody(
  body: Exclude<BodyInit, string> | undefined,
  send: (bytes: Uint8Array) => void,
  flow: Flow,
): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    if (body?.length) send(body);
    return flow();
  }
  for await (const chunk of body) {
    if (chunk.length) send(toBytes(chunk));
    await flow();
  }
}

/** Lets time pass while a sender is to send nothing; a proxy that is never ready to read again is an error. */
async function awaitFlow(filter: Filter, stream: HttpStream, sender: Client, trace: Trace): Promise<void> {
  await letPass(filter, () => stream.ended || !sender.above);
  if (!sender.above || stream.ended) return;
  throw new StreamError(
    "the filter holds more of a body than the limit (limits.bufferBytes), so the proxy reads no more of it, and " +
      `nothing is under way that could continue it. Let the body go on, or hold less.\n${trace}`,
  );
}

/** Milliseconds of virtual time that a held stream is given: Envoy's default idle timeout of a stream. */
const PATIENCE_MS = 300_000;

/** Lets time pass until something is so, while it may still come to be. */
export async function letPass(filter: Filter, isSo: () => boolean): Promise<void> {
  const { clock } = filter;
  const { clusters } = filter.proxy;
  for (let waited = 0; !isSo() && waited <= PATIENCE_MS;) {
    if (clusters.work.busy || ((clusters.pending.size || clusters.openGrpc.size) && !(clock instanceof VirtualClock))) {
      await clusters.work.changed();
      continue;
    }
    const next = clock instanceof VirtualClock ? clock.untilNext() : undefined;
    if (next === undefined) return;
    (clock as VirtualClock).advance(next);
    waited += Math.max(next, 1);
  }
}

function stuck(stream: HttpStream, trace: Trace): StreamError {
  const last = trace.events.findLast((event) => event.kind === "callback");
  const what = stream.response.isHeld ? "response" : stream.request.isHeld ? "request" : "exchange";
  return new StreamError(
    `the ${what} is held for ever: the last callback was ${last ? last.name.replace("proxy_", "") : "none"}, and nothing ` +
      `is under way that could continue it. Continue it, answer it, or return Action.Continue.\n${trace}`,
  );
}

function authorityIn(headers: readonly HeaderEntry[]): string | undefined {
  const host = headers.find(([name]) => name.toLowerCase() === "host");
  return host && decodeText(host[1]);
}

function describeReply(reply: LocalReply): { status: number; details: string; body: string } {
  return { status: reply.status, details: decodeText(reply.details), body: toText(reply.body) };
}
