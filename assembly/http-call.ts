// HTTP callouts: requests that the filter sends by itself, to a cluster of the proxy.

import { BufferType, MapType, Status } from "./abi";
import { focus } from "./callback";
import { proxy_get_buffer_bytes, proxy_get_header_map_value, proxy_http_call } from "./env";
import { HeaderMap } from "./header-map";
import { Headers } from "./headers";
import { answerBytes, answerData, answerSize, answerText, beginCall, reserve, write, written } from "./memory";
import { CallHandler, delivererOf, PendingCalls } from "./pending-calls";
import { checked, DONE } from "./status";

/**
 * A request to a cluster of the proxy: `new HttpCall("auth").get("/check").timeoutMs(500)`. It is sent by the `httpCall`
 * of a context, as often as you like. Envoy adds `content-length`, `x-envoy-internal: true` and, with a timeout,
 * `x-envoy-expected-rq-timeout-ms`. Source: proxy-wasm/spec v0.2.1, `proxy_http_call`.
 */
export class HttpCall {
  /** The host's number of the call that was sent last. */
  id: u32 = 0;

  private callMethod: string = "GET";
  private callPath: string = "/";
  private callAuthority: string;
  private callHeaders: Headers | null = null;
  private text: string = "";
  private bytes: Uint8Array | null = null;
  private timeout: u32 = 5000;

  /** `cluster` is the name of a cluster in the proxy's configuration, not a URL. It is the `:authority` too, at first. */
  constructor(private readonly cluster: string) {
    this.callAuthority = cluster;
  }

  /** Makes it a GET of this path, which includes the query. */
  get(path: string): this {
    return this.method("GET").path(path);
  }

  /** Makes it a POST of this text to this path. */
  post(path: string, body: string): this {
    return this.method("POST").path(path).body(body);
  }

  /** The method; `GET` by default. */
  method(method: string): this {
    this.callMethod = method;
    return this;
  }

  /** Path and query; `/` by default. */
  path(path: string): this {
    this.callPath = path;
    return this;
  }

  /** The host that is asked for; the name of the cluster by default. */
  authority(authority: string): this {
    this.callAuthority = authority;
    return this;
  }

  /** Adds a header. Method, path and authority have functions of their own. */
  header(name: string, value: string): this {
    this.extra().append(name, value);
    return this;
  }

  /** As `header`, with the value's bytes. */
  headerBytes(name: string, value: Uint8Array): this {
    this.extra().appendBytes(name, value);
    return this;
  }

  /** The body as text; none by default. */
  body(body: string): this {
    this.text = body;
    this.bytes = null;
    return this;
  }

  /** The body as bytes. */
  bodyBytes(body: Uint8Array): this {
    this.bytes = body;
    return this;
  }

  /** Milliseconds until the proxy gives up, 5000 by default; 0 waits for ever. Envoy then answers with a 504. */
  timeoutMs(timeout: u32): this {
    this.timeout = timeout;
    return this;
  }

  /**
   * Sends it; what comes back reaches the root context's `onHttpCallResponse` with this `id`. The `httpCall` of a context
   * is the comfortable way, and the only one whose answer finds its stream.
   */
  send(): Status {
    const headers = new Headers()
      .append(":method", this.callMethod)
      .append(":path", this.callPath)
      .append(":authority", this.callAuthority);
    const extra = this.callHeaders;
    if (extra !== null) headers.appendAll(extra);
    beginCall();
    const cluster = write(changetype<usize>(this.cluster));
    const clusterSize = written;
    const pairs = headers.encode();
    const pairsSize = written;
    const bytes = this.bytes;
    const body = bytes !== null ? bytes.dataStart : write(changetype<usize>(this.text));
    const bodySize = bytes !== null ? (bytes.byteLength as usize) : written;
    // Request trailers are not offered: Envoy takes them and does not send them.
    const status = proxy_http_call(
      cluster,
      clusterSize,
      pairs,
      pairsSize,
      body,
      bodySize,
      reserve(0),
      0,
      this.timeout,
      answerData,
    );
    this.id = load<u32>(answerData);
    return checked(changetype<usize>("proxy_http_call"), status, REFUSED_OR_NOT, memory.data(4));
  }

  private extra(): Headers {
    let headers = this.callHeaders;
    if (headers === null) {
      headers = new Headers();
      this.callHeaders = headers;
    }
    return headers;
  }
}

/** A cluster without a healthy host is nothing to complain about. */
const REFUSED_OR_NOT: u32 = DONE | (1 << Status.InternalFailure);

/**
 * What came of a callout. It can be read while the handler runs that it is given to; later everything is `null` or
 * empty.
 */
export class HttpCallResponse {
  private code: u32 = 0;

  constructor(
    /** How many headers there are, `:status` included. */
    readonly headerCount: u32,
    /** Bytes of the body. */
    readonly bodySize: u32,
    /** How many trailers there are. */
    readonly trailerCount: u32,
  ) {}

  /**
   * Whether there is no answer: the connection broke in its middle, or the body was too long (Envoy: 32 MiB). `status`
   * is 0 then. A connection that broke earlier, and a timeout, are answers in Envoy: see `maybeFromProxy`.
   */
  get isReset(): bool {
    return !this.headerCount;
  }

  /** The status code; 0 when there is none. */
  get status(): u32 {
    if (!this.code && this.headerCount) this.code = readStatus();
    return this.code;
  }

  /** The headers, `:status` included; nothing can be read of them after a reset. They cannot be changed. */
  get headers(): HeaderMap {
    return HeaderMap.of(MapType.HttpCallResponseHeaders);
  }

  /** The trailers; `null` when there are none. They cannot be changed. */
  get trailers(): HeaderMap | null {
    return this.trailerCount ? HeaderMap.of(MapType.HttpCallResponseTrailers) : null;
  }

  /** The body as text; `""` when it is empty, `null` after a reset. */
  get body(): string | null {
    return this.ask() ? answerText() : null;
  }

  /** The body as bytes; none when it is empty, `null` after a reset. */
  get bodyBytes(): Uint8Array | null {
    return this.ask() ? answerBytes() : null;
  }

  /**
   * Whether this may be the proxy's own answer: Envoy makes a 503 of a connection that fails and a 504 of a timeout, and
   * marks neither. A guess: true for a 503 or 504 without the `x-envoy-upstream-service-time` that Envoy adds to the
   * answers of servers, so on other proxies it is true for theirs as well.
   */
  get maybeFromProxy(): bool {
    const status = this.status;
    return (status == 503 || status == 504) && !this.headers.has("x-envoy-upstream-service-time");
  }

  private ask(): bool {
    if (this.isReset) return false;
    beginCall();
    return (
      proxy_get_buffer_bytes(BufferType.HttpCallResponseBody, 0, usize.MAX_VALUE, answerData, answerSize) == Status.Ok
    );
  }
}

/** Hears of the answer to a callout: a class of your own, with the fields that you need. */
export abstract class HttpCallHandler extends CallHandler {
  /** The answer is there, or it was reset. The context that has called is the effective one. */
  abstract onResponse(response: HttpCallResponse): void;
}

/** Sends a callout in the name of a context. */
export function startHttpCall(call: HttpCall, contextId: u32, handler: HttpCallHandler): Status {
  const calls = pendingCalls();
  const pending = calls.begin(contextId, handler, false);
  const status = call.send();
  calls.started(pending, status == Status.Ok, call.id);
  return status;
}

/** How many callouts of a context wait for their answer. */
export function countHttpCalls(contextId: u32): i32 {
  return pendingCalls().count(contextId);
}

/** The `PendingCalls` of this kind, pinned; a managed variable would be in every filter. */
let pending: usize = 0;

/** Tells the handler of a callout what came of it; false when there is none. */
export function deliverHttpCall(callId: u32, headers: u32, bodySize: u32, trailers: u32): bool {
  return pending ? call_indirect<bool>(delivererOf(pending), callId, headers, bodySize, trailers) : false;
}

function pendingCalls(): PendingCalls {
  if (!pending) pending = changetype<usize>(new PendingCalls(changetype<usize>(deliver)));
  return changetype<PendingCalls>(pending);
}

function deliver(callId: u32, headers: u32, bodySize: u32, trailers: u32): bool {
  const calls = pendingCalls();
  const call = calls.find(callId);
  if (call === null) return false;
  calls.remove(call);
  // A context that the host knows no more is not called either.
  if (!focus(call.contextId)) return true;
  (call.handler as HttpCallHandler).onResponse(new HttpCallResponse(headers, bodySize, trailers));
  return true;
}

/** The number in `:status`; 0 when there is none. */
function readStatus(): u32 {
  beginCall();
  const name = write(changetype<usize>(":status"));
  const status = proxy_get_header_map_value(MapType.HttpCallResponseHeaders, name, written, answerData, answerSize);
  if (status != Status.Ok) return 0;
  let code: u32 = 0;
  const text = load<usize>(answerData);
  for (let i: usize = 0; i < load<usize>(answerSize); i++) {
    const digit = load<u8>(text + i) - 0x30;
    if (digit > 9) return 0;
    code = code * 10 + digit;
  }
  return code;
}
