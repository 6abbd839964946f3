// A filter's context for one HTTP stream: which header map and body it can reach when, and what its answers mean.
// Source: Envoy source/extensions/common/wasm/context.cc; corrections from a running Envoy 1.40.

import { Action, BufferType, DataAction, HeadersAction, MapType, Status } from "../../assembly/abi.ts";
import { Body } from "../http/body.ts";
import { type ByteString, noBytes } from "../encoding/bytes.ts";
import { type Buffer, bufferNames, HostContext, loggedMap, mapNames } from "./context.ts";
import type { Which } from "../streams/direction.ts";
import { EnvoyFault, Misuse, Refusal } from "../error.ts";
import { HeaderMap } from "../http/header-map.ts";
import type { HttpStream, StreamFilter } from "../streams/http-stream.ts";
import { failedReply, type LocalReply } from "../http/local-reply.ts";
import type { HostPhase } from "../profiles/profile.ts";
import { property } from "../properties/properties.ts";
import type { PropertyValue } from "../properties/property-value.ts";
import type { RootContext } from "./root-context.ts";
import type { Trace } from "../trace.ts";

/** What a filter is doing with its stream. */
type Phase = keyof typeof callbacks;

/** The callback of each phase. */
const callbacks = {
  on_context_create: "proxy_on_context_create",
  on_request_headers: "proxy_on_request_headers",
  on_request_body: "proxy_on_request_body",
  on_request_trailers: "proxy_on_request_trailers",
  on_request_metadata: "proxy_on_request_metadata",
  on_response_headers: "proxy_on_response_headers",
  on_response_body: "proxy_on_response_body",
  on_response_trailers: "proxy_on_response_trailers",
  on_response_metadata: "proxy_on_response_metadata",
  on_log: "proxy_on_log",
  on_done: "proxy_on_done",
  on_delete: "proxy_on_delete",
};

const bodyPhases = { request: "on_request_body", response: "on_response_body" } as const;

/** When Envoy lets a filter reach each map. A map is dropped when its callback returns Continue. */
const mapRules: Partial<Record<MapType, { from: Phase; logged: boolean }>> = {
  [MapType.HttpRequestHeaders]: { from: "on_request_headers", logged: true },
  [MapType.HttpRequestTrailers]: { from: "on_request_trailers", logged: false },
  [MapType.HttpResponseHeaders]: { from: "on_response_headers", logged: true },
  [MapType.HttpResponseTrailers]: { from: "on_response_trailers", logged: true },
};

/** One direction of the stream as the filter sees it. */
class Side {
  /** The body of the running or last body callback; undefined when it has gone on. */
  body: Body | undefined;
  /** Whether the body was taken away when its callback held it without collecting it. */
  taken = false;
  /** Whether the body is being collected in the stream's buffer. */
  buffering = false;
  /** Whether the filter was told that nothing more comes. */
  endOfStream = false;
}

/** A filter in the chain of a stream, played by a context of a VM. */
export class HttpContext extends HostContext implements StreamFilter {
  readonly root: RootContext;
  readonly trace: Trace;
  readonly #stream: HttpStream;
  /** The maps that it can reach now, by `MapType`. */
  readonly #maps: (HeaderMap | undefined)[] = [undefined, undefined, undefined, undefined];
  readonly #sides: Readonly<Record<Which, Side>> = { request: new Side(), response: new Side() };
  #created = false;
  #requestStarted = false;
  #failureSent = false;
  #ending = false;
  /** Whether an answer has failed this stream, which in nginx is the last that the filter hears of it. */
  #broken = false;
  /** What content-length said before the filter saw the response, and whether its body was collected; for nginx. */
  #responseLength = 0;
  #collected = false;
  /** The request's body as it went on, where it can be read to the end. */
  #requestBody: Uint8Array | undefined;

  constructor(root: RootContext, stream: HttpStream, trace: Trace) {
    super(root.plugin, root.vm);
    this.root = root;
    root.retain();
    this.#stream = stream;
    this.trace = trace;
  }

  headers(which: Which, headers: HeaderMap, endOfStream: boolean): HeadersAction {
    return which === "request"
      ? this.#requestHeaders(headers, endOfStream)
      : this.#responseHeaders(headers, endOfStream);
  }

  #requestHeaders(headers: HeaderMap, endOfStream: boolean): HeadersAction {
    this.#create();
    this.#requestStarted = true;
    this.#maps[MapType.HttpRequestHeaders] = headers;
    this.#sides.request.endOfStream = endOfStream;
    const action = this.#callHeaders("on_request_headers", headers, endOfStream);
    if (action === HeadersAction.Continue) this.#maps[MapType.HttpRequestHeaders] = undefined;
    return action;
  }

  #responseHeaders(headers: HeaderMap, endOfStream: boolean): HeadersAction {
    // A filter that never saw the request, because one before it answered, does not see the response either.
    if (!this.#requestStarted || this.#failureSent) return HeadersAction.Continue;
    this.#maps[MapType.HttpResponseHeaders] = headers;
    this.#sides.response.endOfStream = endOfStream;
    if (this.profile.responseBody === "nginx") this.#responseLength = Number(headers.get("content-length") ?? 0);
    const action = this.#callHeaders("on_response_headers", headers, endOfStream);
    if (action === HeadersAction.Continue) this.#maps[MapType.HttpResponseHeaders] = undefined;
    return action;
  }

  #callHeaders(phase: Phase, headers: HeaderMap, endOfStream: boolean): HeadersAction {
    const { countsPseudoHeaders, endsWithHeaders } = this.profile;
    const count = countsPseudoHeaders ? headers.size : ownHeaders(headers);
    const answer = this.#call(phase, [this.id, count, endOfStream && endsWithHeaders ? 1 : 0]);
    if (this.profile.actions === "continue or pause") return this.#afterStrictHeaders(phase, answer);
    if (answer === "failed") return this.#failed(HeadersAction.Continue, HeadersAction.StopAllIterationAndWatermark);
    if (answer === "stopped") return HeadersAction.StopAllIterationAndWatermark;
    switch (answer) {
      case HeadersAction.Continue:
      case HeadersAction.ContinueAndEndStream:
        return HeadersAction.Continue;
      case HeadersAction.StopIteration:
        return this.plugin.options.allowOnHeadersStopIteration
          ? HeadersAction.StopIteration
          : HeadersAction.StopAllIterationAndWatermark;
      case HeadersAction.StopAllIterationAndBuffer:
        return HeadersAction.StopAllIterationAndBuffer;
      default:
        return HeadersAction.StopAllIterationAndWatermark;
    }
  }

  /** Where Pause holds a request and nothing else, and every other answer than 0 and 1 fails the stream. */
  #afterStrictHeaders(phase: Phase, answer: number | "stopped" | "failed"): HeadersAction {
    const isRequest = phase === "on_request_headers";
    if (answer === "failed") return this.#failed(HeadersAction.Continue, HeadersAction.StopAllIterationAndWatermark);
    if (answer === Action.Continue) return HeadersAction.Continue;
    if (answer === "stopped" || answer === Action.Pause) {
      if (isRequest) return HeadersAction.StopAllIterationAndWatermark;
      if (answer === Action.Pause && !this.#stream.localReply) {
        this.#note(`${this.profile.title} does not hold a response: Pause in on_response_headers lets it go on`);
      }
      return HeadersAction.Continue;
    }
    this.#break(answer);
    return isRequest ? HeadersAction.StopAllIterationAndWatermark : HeadersAction.Continue;
  }

  /** The filter gave an answer that the host does not take. */
  #break(answer: number): void {
    this.#note(`${this.phase} answered ${answer}: ${this.profile.title} knows 0 and 1, and fails the stream`);
    this.#broken = true;
    this.failing();
  }

  #note(text: string): void {
    this.trace.push({ kind: "note", text });
  }

  /** A whole request body in one callback; one without bytes in none. */
  #wholeRequest(data: Body): DataAction {
    if (!data.length) return DataAction.Continue;
    this.#sides.request.body = data;
    const answer = this.#call("on_request_body", [this.id, data.length, 1]);
    this.#sides.request.body = undefined;
    this.#requestBody = data.bytes();
    if (answer === "failed") return this.#failed(DataAction.Continue, DataAction.StopIterationNoBuffer);
    if (answer === "stopped") return DataAction.StopIterationNoBuffer;
    if (answer === Action.Continue) return DataAction.Continue;
    if (answer === Action.Pause) return DataAction.StopIterationAndWatermark;
    this.#break(answer);
    return DataAction.StopIterationNoBuffer;
  }

  /** A piece of a response's body in nginx's way: see `HostProfile.responseBody`. */
  #pieceOfResponse(piece: Body, endOfStream: boolean): DataAction {
    const side = this.#sides.response;
    const direction = this.#stream.response;
    let data = piece;
    if (side.buffering) {
      direction.hold(piece, true);
      data = direction.held!;
      if (!endOfStream && data.length < this.profile.responseBufferBytes) return DataAction.StopIterationAndWatermark;
      side.buffering = false;
      this.#collected = true;
    }
    for (;;) {
      const isLast = this.#responseLength ? data.length === this.#responseLength : endOfStream;
      if (!data.length && !isLast) return DataAction.Continue;
      side.body = data;
      const answer = this.#call("on_response_body", [this.id, data.length, isLast ? 1 : 0]);
      side.body = undefined;
      if (answer === "failed") return this.#failed(DataAction.Continue, DataAction.StopIterationNoBuffer);
      if (answer === Action.Continue || answer === "stopped") return DataAction.Continue;
      if (answer !== Action.Pause) this.#break(answer);
      if (this.#broken || this.#collected) return DataAction.Continue;
      side.buffering = !isLast && !endOfStream;
      if (side.buffering) return DataAction.StopIterationAndWatermark;
      this.#collected = true;
    }
  }

  data(which: Which, data: Body, endOfStream: boolean): DataAction {
    if (!this.#requestStarted || (which === "response" && this.#failureSent)) return DataAction.Continue;
    if (this.#broken) return DataAction.Continue;
    if (which === "request" && this.profile.readsWholeRequest) return this.#wholeRequest(data);
    if (which === "response" && this.profile.responseBody === "nginx") return this.#pieceOfResponse(data, endOfStream);
    const side = this.#sides[which];
    const direction = this.#stream[which];
    if (side.buffering) direction.hold(data, false);
    // Held beyond the limit, a response whose head is gone has ended here; a request hears of it in this callback still.
    if (this.#stream.ended) return DataAction.StopIterationNoBuffer;
    side.body = data;
    side.taken = false;
    side.endOfStream = endOfStream;
    const size = (side.buffering ? direction.held! : data).length;
    const answer = this.#call(bodyPhases[which], [this.id, size, endOfStream ? 1 : 0]);
    side.buffering = false;
    side.taken = answer === "stopped" || (typeof answer === "number" && answer > DataAction.StopIterationAndBuffer);
    if (answer === "failed") return this.#failed(DataAction.Continue, DataAction.StopIterationNoBuffer);
    if (answer === "stopped") return DataAction.StopIterationNoBuffer;
    if (answer === DataAction.Continue) side.body = undefined;
    if (answer === DataAction.StopIterationAndBuffer) side.buffering = true;
    return answer > DataAction.StopIterationNoBuffer ? DataAction.StopIterationNoBuffer : answer;
  }

  trailers(which: Which, trailers: HeaderMap): Action {
    if (!this.#requestStarted || (which === "response" && this.#failureSent)) return Action.Continue;
    const type = which === "request" ? MapType.HttpRequestTrailers : MapType.HttpResponseTrailers;
    this.#maps[type] = trailers;
    const answer = this.#call(`on_${which}_trailers`, [this.id, trailers.size]);
    if (answer === "failed") return this.#failed(Action.Continue, Action.Pause);
    if (answer !== 0) return Action.Pause;
    this.#maps[type] = undefined;
    return Action.Continue;
  }

  /** Whatever the callback answers, the frame goes on. */
  metadata(which: Which, count: number): void {
    if (!this.#requestStarted || (which === "response" && this.#failureSent)) return;
    if (this.#call(`on_${which}_metadata`, [this.id, count]) === "failed") this.#failed(undefined, undefined);
  }

  log(): void {
    this.#create();
    this.#ending = true;
    this.#callLast(this.profile.logCallbacks);
  }

  destroy(): void {
    if (this.#created) this.#callLast(this.profile.endCallbacks);
    if (this.profile.resumes === "after callouts") this.root.inbox.cancelOf(this);
    this.vm.contexts.delete(this.id);
    this.root.release();
  }

  #callLast(phases: readonly Phase[]): void {
    if (this.#broken) return;
    for (const phase of phases) {
      this.phase = phase;
      this.vm.call(callbacks[phase], this, [this.id]);
    }
  }

  /** Runs a callback: its answer, or that it asked for a local reply, or that the VM has failed. */
  #call(phase: Phase, args: number[]): number | "stopped" | "failed" {
    this.phase = phase;
    const answer = this.vm.call(callbacks[phase], this, args);
    if (this.vm.failed) return "failed";
    return this.vm.lastStopped ? "stopped" : (answer ?? 0);
  }

  #create(): void {
    if (this.#created) return;
    this.vm.call("proxy_on_context_create", this, [this.id, this.root.id]);
    this.#created = true;
  }

  /** What a stream does whose filter has failed: goes on unfiltered (the deprecated `fail_open`), or ends with a 503. */
  #failed<T>(open: T, closed: T): T {
    if (this.plugin.options.failurePolicy === "fail_open" || this.#failsOpen) return open;
    this.failing();
    return closed;
  }

  /** Whether a failure in this callback lets the message go on. */
  get #failsOpen(): boolean {
    return this.profile.failsResponsesOpen && this.phase.startsWith("on_response_");
  }

  failing(): void {
    if (this.#failsOpen) return;
    const isOver = this.#ending || this.phase === "on_context_create";
    if (isOver || this.#failureSent || this.plugin.options.failurePolicy === "fail_open") return;
    this.#failureSent = true;
    this.#stream.sendLocalReply(failedReply(this.profile));
  }

  override foreignFunction(functionId: number, argument: Uint8Array): void {
    if (this.#created) super.foreignFunction(functionId, argument);
  }

  override headerMap(type: MapType, toChange: boolean): HeaderMap | Refusal {
    if (this.profile.mapWrites) return this.#mapByPhase(type, toChange, this.profile.mapWrites);
    // What is held can still be changed, though nobody sees it.
    const held = toChange ? this.#maps[type] : undefined;
    if (this.phase === "on_log") return held ?? loggedMap(this.#stream, type, toChange);
    if (type >= MapType.GrpcReceiveInitialMetadata) return super.headerMap(type, toChange);
    const map = this.#maps[type] ?? (toChange ? this.#newTrailers(type) : undefined);
    return map ?? new Refusal(Status.BadArgument, this.#whyNoMap(type));
  }

  /** Where maps are there for the whole stream, and can be changed in some callbacks. */
  #mapByPhase(
    type: MapType,
    toChange: boolean,
    writes: Readonly<Record<number, readonly HostPhase[]>>,
  ): HeaderMap | Refusal {
    const { title, mapReads } = this.profile;
    if (toChange && !Object.hasOwn(writes, type)) {
      return new Refusal(Status.BadArgument, `${mapNames[type]} cannot be changed in ${title}`);
    }
    if (type >= MapType.GrpcReceiveInitialMetadata) return this.root.inbox.headerMap(type, toChange);
    if (!mapReads.includes(type)) return new Refusal(Status.BadArgument, `${title} does not give ${mapNames[type]}`);
    const { request, response } = this.#stream;
    const isRequest = type === MapType.HttpRequestHeaders;
    const isLate =
      this.phase === "on_http_call_response" && (isRequest ? response.message : this.#stream.responseStarted);
    if (toChange && (isLate || !writes[type]!.includes(this.phase))) {
      const what = `${mapNames[type]} cannot be changed in ${this.phase}`;
      return new Misuse(Status.BadArgument, `${what}, only in ${writes[type]!.join(", ")}`);
    }
    const message = isRequest ? request.message : (response.message ?? this.#stream.earlyHeaders);
    return message ?? new Refusal(Status.NotFound, `there are none: ${mapNames[type]}`);
  }

  /** Trailers come into being when they are written to in the last body callback. */
  #newTrailers(type: MapType): HeaderMap | undefined {
    const which = type === MapType.HttpRequestTrailers ? "request" : "response";
    if (which === "response" && type !== MapType.HttpResponseTrailers) return undefined;
    const side = this.#sides[which];
    if (this.phase !== `on_${which}_body` || !side.body || !side.endOfStream) return undefined;
    const trailers = new HeaderMap(`${which} trailers`);
    this.#stream[which].trailing = trailers;
    this.#maps[type] = trailers;
    return trailers;
  }

  #whyNoMap(type: MapType): string {
    const rule = mapRules[type];
    if (!rule) return `${mapNames[type]} can be read in the callback that brings them only`;
    const rest = rule.logged ? ", and can be read in on_log" : "";
    return (
      `${mapNames[type]} cannot be used in ${this.phase}: Envoy has them from ${rule.from} until this filter lets ` +
      `them go on${rest}. Keep what you need, or hold the headers`
    );
  }

  override buffer(type: BufferType): Buffer | Refusal {
    if (type !== BufferType.HttpRequestBody && type !== BufferType.HttpResponseBody) return super.buffer(type);
    const which = type === BufferType.HttpRequestBody ? "request" : "response";
    const side = this.#sides[which];
    if (this.profile.bodyReads) return this.#bodyInMemory(type, side.body);
    if (side.taken) {
      throw new EnvoyFault(
        `${bufferNames[type]} is asked for in ${this.phase}, after on_${which}_body held it with another answer than ` +
          "StopIterationAndBuffer: Envoy 1.40 reads memory that it has freed, and crashes (SIGSEGV) or gives junk. " +
          "Hold a body that you want to see again with StopIterationAndBuffer.",
      );
    }
    // What was buffered and has gone on leaves Envoy an empty buffer behind: writing to it is Ok and goes nowhere.
    return side.buffering ? (this.#stream[which].held ?? new Body()) : (side.body ?? noBytes);
  }

  /** A body where nothing is held for the filter; a long request body lies in a file. */
  #bodyInMemory(type: BufferType, body: Body | undefined): Buffer | Refusal {
    const most = this.profile.readableRequestBytes ?? Infinity;
    const found = type === BufferType.HttpRequestBody ? (body ?? this.#requestBody) : body;
    if (!found) return new Refusal(Status.NotFound, `there is no body yet: ${bufferNames[type]}`);
    if (type !== BufferType.HttpRequestBody || found.length <= most) return found;
    return new Refusal(
      Status.NotFound,
      `the request body has ${found.length} bytes, and ${this.profile.title} keeps ${most} in memory: the rest lies in a ` +
        "file (client_body_buffer_size; here: readableRequestBytes)",
    );
  }

  override property(path: readonly ByteString[]): PropertyValue | Refusal {
    const logging = this.phase === "on_log";
    const { request, response, info, details, given } = this.#stream;
    // Some hosts have them from first to last.
    const always = logging || this.profile.mapWrites !== undefined;
    const maps = this.#maps;
    const stream = {
      info,
      details,
      // A map that was held to the end comes first, if it is that of a response that the proxy has replaced.
      request: maps[MapType.HttpRequestHeaders] ?? (always ? request.message : undefined),
      response: maps[MapType.HttpResponseHeaders] ?? (always ? response.message : undefined),
      trailers: maps[MapType.HttpResponseTrailers] ?? (logging ? response.trailing : undefined),
      phase: this.phase,
    };
    return property(path, { plugin: this.plugin.options, given, stream });
  }

  override ownProperty(name: ByteString): ByteString | undefined {
    return this.#stream.info.filterState.get(name);
  }

  override setOwnProperty(name: ByteString, value: ByteString): Refusal | undefined {
    return this.#stream.info.filterState.set(name, value);
  }

  override setQuery(query: ByteString): undefined {
    const headers = this.#stream.request.message;
    const path = headers?.get(":path")?.replace(/\?.*$/s, "");
    if (path !== undefined) headers!.set(":path", `${path}?${query}`);
  }

  override setProperty(name: ByteString, value: ByteString): Refusal | undefined {
    return this.#stream.info.filterState.setProperty(name, value, this.isReadOnly(name));
  }

  override setFilterState(name: string, value: string): Refusal | undefined {
    return this.#stream.info.filterState.set(name, value);
  }

  override calloutsDone(): void {
    const { ended, request } = this.#stream;
    if (!ended && !request.aborted && request.isHeldBy(this)) this.#stream.continueRequest(this);
  }

  override continueRequest(): void {
    if (this.#ending || this.profile.resumes !== "when asked") return;
    this.vm.afterCall(() => this.#stream.continueRequest(this));
    this.#maps[MapType.HttpRequestHeaders] = undefined;
    this.#maps[MapType.HttpRequestTrailers] = undefined;
    this.#sides.request.body = undefined;
    this.#sides.request.taken = false;
  }

  override continueResponse(): void {
    if (this.#ending || this.profile.resumes !== "when asked") return;
    this.vm.afterCall(() => this.#stream.continueResponse(this));
    this.#maps[MapType.HttpRequestHeaders] = undefined;
    this.#maps[MapType.HttpRequestTrailers] = undefined;
    this.#sides.request.body = undefined;
    this.#sides.request.taken = false;
  }

  override closeStream(): void {
    this.#refuseAtEnd("proxy_close_stream");
    this.#stream.details ??= "wasm_close_stream";
    this.vm.afterCall(() => this.#stream.close());
  }

  override sendLocalReply(reply: LocalReply): Refusal | undefined {
    const once = this.profile.localReplies === "nginx";
    if (once) {
      const refusal = this.#stream.claimLocalReply(reply, this.phase === "on_response_headers");
      if (refusal) return refusal;
      this.root.inbox.cancelOf(this);
    } else {
      this.#refuseAtEnd("proxy_send_local_response");
    }
    this.vm.afterCall(() => this.#stream.answer(reply), reply.body.length + reply.details.length);
    return undefined;
  }

  #refuseAtEnd(call: string): void {
    if (!this.#ending) return;
    throw new EnvoyFault(
      `${call} in ${this.phase}: the stream is over; Envoy 1.40 logs it once more and crashes (SIGSEGV). ` +
        "Answer in a request or response callback.",
    );
  }
}

/** How many headers there are without pseudo headers, where `:authority` stands for `host`. */
function ownHeaders({ kind, entries }: HeaderMap): number {
  return entries.filter(([name]) => !name.startsWith(":") || (kind === "request" && name === ":authority")).length;
}
