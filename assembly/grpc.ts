// gRPC callouts: a request with one answer, or a stream of messages both ways. Messages are bytes, as protobuf has them,
// without gRPC's frame around them. Envoy offers them; ngx_wasm_module does not.

import { BufferType, GrpcStatus, MapType, Status } from "./abi";
import { focus } from "./callback";
import {
  proxy_get_buffer_bytes,
  proxy_get_status,
  proxy_grpc_call,
  proxy_grpc_cancel,
  proxy_grpc_close,
  proxy_grpc_send,
  proxy_grpc_stream,
} from "./env";
import { HeaderMap } from "./header-map";
import { Headers } from "./headers";
import { answerBytes, answerData, answerSize, answerText, beginCall, reserve, write, written } from "./memory";
import { CallHandler, delivererOf, PendingCall, PendingCalls } from "./pending-calls";
import { checked, DONE } from "./status";

/** What calls and streams have in common: where they go, and what they carry beside their messages. */
export abstract class GrpcRequest {
  /** The host's number, once it was started. */
  id: u32 = 0;

  private headers: Headers | null = null;

  constructor(
    /** The name of a cluster in the proxy's configuration, not a URL. */
    readonly cluster: string,
    /** The full name of the service, such as `acme.Limits`. */
    readonly service: string,
    /** The name of the method, such as `Check`. */
    readonly method: string,
  ) {}

  /** Stops it at once; its handler is not called any more. `NotFound` when it is over. */
  cancel(): Status {
    forget(this.id);
    return proxy_grpc_cancel(this.id);
  }

  /** Writes the parts that all calls begin with. */
  protected encode(): void {
    beginCall();
    partCluster = writeCluster(changetype<usize>(this.cluster));
    partClusterSize = written;
    partService = write(changetype<usize>(this.service));
    partServiceSize = written;
    partMethod = write(changetype<usize>(this.method));
    partMethodSize = written;
    const headers = this.headers;
    partMetadata = headers !== null ? headers.encode() : reserve(0);
    partMetadataSize = written;
  }

  /** What `metadata` adds to. asc takes an inherited `this` for the parent's class, so each class has its own. */
  protected initial(): Headers {
    let headers = this.headers;
    if (headers === null) {
      headers = new Headers();
      this.headers = headers;
    }
    return headers;
  }
}

// What `encode` has written, until the host call that follows.
let partCluster: usize = 0;
let partClusterSize: usize = 0;
let partService: usize = 0;
let partServiceSize: usize = 0;
let partMethod: usize = 0;
let partMethodSize: usize = 0;
let partMetadata: usize = 0;
let partMetadataSize: usize = 0;

/**
 * A gRPC request with one answer: `new GrpcCall("limits", "acme.Limits", "Check").message(bytes)`. It is sent by the
 * `grpcCall` of a context. Source: proxy-wasm/spec v0.2.1, `proxy_grpc_call`.
 */
export class GrpcCall extends GrpcRequest {
  private bytes: Uint8Array | null = null;
  private timeout: u32 = 5000;

  /** Adds metadata to what is sent first. */
  metadata(name: string, value: string): this {
    this.initial().append(name, value);
    return this;
  }

  /** As `metadata`, with the value's bytes. */
  metadataBytes(name: string, value: Uint8Array): this {
    this.initial().appendBytes(name, value);
    return this;
  }

  /** What is sent; an empty message by default. */
  message(message: Uint8Array): this {
    this.bytes = message;
    return this;
  }

  /**
   * Milliseconds until the proxy gives up, 5000 by default; Envoy then says `Unavailable`. 0 waits as long as can be: the
   * ABI's own 0 makes Envoy tell the server that there is no time at all (`grpc-timeout: 0m`).
   */
  timeoutMs(timeout: u32): this {
    this.timeout = timeout ? timeout : i32.MAX_VALUE;
    return this;
  }

  /** Sends it; what comes back reaches the root context's `onGrpcReceive` or `onGrpcClose` with this `id`. */
  send(): Status {
    this.encode();
    const bytes = this.bytes;
    const status = proxy_grpc_call(
      partCluster,
      partClusterSize,
      partService,
      partServiceSize,
      partMethod,
      partMethodSize,
      partMetadata,
      partMetadataSize,
      bytes !== null ? bytes.dataStart : reserve(0),
      bytes !== null ? (bytes.byteLength as usize) : 0,
      this.timeout,
      answerData,
    );
    this.id = load<u32>(answerData);
    return checked(changetype<usize>("proxy_grpc_call"), status, REFUSED_OR_NOT, memory.data(4));
  }
}

/**
 * A stream of gRPC messages: `new GrpcStream("chat", "acme.Chat", "Talk")`. It is opened by the `grpcStream` of a
 * context, and sends when it is open. It ends with its context, when the server ends it, or when it is cancelled.
 * Source: proxy-wasm/spec v0.2.1, `proxy_grpc_stream`.
 */
export class GrpcStream extends GrpcRequest {
  /** Whether nothing more can be sent. */
  isClosed: bool = true;

  /** Adds metadata to what is sent first. */
  metadata(name: string, value: string): this {
    this.initial().append(name, value);
    return this;
  }

  /** As `metadata`, with the value's bytes. */
  metadataBytes(name: string, value: Uint8Array): this {
    this.initial().appendBytes(name, value);
    return this;
  }

  /** Opens it; what comes back reaches the root context's `onGrpc…` methods with this `id`. */
  open(): Status {
    this.encode();
    const status = proxy_grpc_stream(
      partCluster,
      partClusterSize,
      partService,
      partServiceSize,
      partMethod,
      partMethodSize,
      partMetadata,
      partMetadataSize,
      answerData,
    );
    this.id = load<u32>(answerData);
    this.isClosed = status != Status.Ok;
    return checked(changetype<usize>("proxy_grpc_stream"), status, REFUSED_OR_NOT, memory.data(4));
  }

  /** Sends a message; with `last`, nothing more follows. `BadArgument` when nothing more can be sent. */
  send(message: Uint8Array, last: bool = false): Status {
    if (this.isClosed) return Status.BadArgument;
    this.isClosed = last;
    const status = proxy_grpc_send(this.id, message.dataStart, message.byteLength, last ? 1 : 0);
    return checked(changetype<usize>("proxy_grpc_send"), status, DONE, memory.data(4));
  }

  /** Stops it at once; its handler is not called any more. `NotFound` when it is over. */
  override cancel(): Status {
    this.isClosed = true;
    return super.cancel();
  }

  /** Says that nothing more will be sent; the server may still send. */
  close(): Status {
    if (this.isClosed) return Status.Ok;
    this.isClosed = true;
    return proxy_grpc_close(this.id);
  }
}

/** A cluster without a healthy host is nothing to complain about. */
const REFUSED_OR_NOT: u32 = DONE | (1 << Status.InternalFailure);

/** What came of a gRPC call. It can be read while the handler runs that it is given to. */
export class GrpcResponse {
  constructor(
    /** How it ended: `GrpcStatus.Ok`, or what the server or the proxy says instead. */
    readonly status: GrpcStatus,
    /** Bytes of the message. */
    readonly messageSize: u32,
  ) {}

  /** The message; none when it is empty, `null` unless the status is `Ok`. */
  get message(): Uint8Array | null {
    return this.status == GrpcStatus.Ok ? readMessage() : null;
  }

  /**
   * Why the status is not `Ok`; `""` when nobody says. Envoy gives `grpc-message` as it came over the wire
   * (percent-encoded) and its own details behind it, in braces.
   */
  get statusMessage(): string {
    return this.status == GrpcStatus.Ok ? "" : readStatusMessage();
  }
}

/** Hears of the answer to a gRPC call: a class of your own, with the fields that you need. */
export abstract class GrpcCallHandler extends CallHandler {
  /** The answer is there, or there will be none. The context that has called is the effective one. */
  abstract onResponse(response: GrpcResponse): void;

  /** The context goes; the call is cancelled. @internal */
  override onForgotten(id: u32): void {
    proxy_grpc_cancel(id);
  }
}

/**
 * Hears what comes over a gRPC stream: a class of your own, with the fields that you need. The context that has opened
 * it is the effective one.
 */
export abstract class GrpcStreamHandler extends CallHandler {
  /** The stream that it was opened with. */
  stream: GrpcStream | null = null;

  /** The first metadata is there: `count` entries, Envoy's `:status` among them. */
  onInitialMetadata(_metadata: HeaderMap, _count: u32): void {}

  /** A message is there. */
  onMessage(_message: Uint8Array): void {}

  /** The last metadata is there: `count` entries. */
  onTrailingMetadata(_metadata: HeaderMap, _count: u32): void {}

  /** The stream is over. `message` is like `GrpcResponse.statusMessage`. Nothing follows. */
  onClose(_status: GrpcStatus, _message: string): void {}

  /** The context goes; the call is cancelled. @internal */
  override onForgotten(id: u32): void {
    this.stream!.isClosed = true;
    proxy_grpc_cancel(id);
  }
}

/** Starts a call in the name of a context. */
export function startGrpcCall(call: GrpcCall, contextId: u32, handler: GrpcCallHandler): Status {
  const calls = pendingCalls();
  const pending = calls.begin(contextId, handler, false);
  const status = call.send();
  calls.started(pending, status == Status.Ok, call.id);
  return status;
}

/** Opens a stream in the name of a context. */
export function startGrpcStream(stream: GrpcStream, contextId: u32, handler: GrpcStreamHandler): Status {
  const calls = pendingCalls();
  const pending = calls.begin(contextId, handler, true);
  handler.stream = stream;
  const status = stream.open();
  if (pending.isOver) stream.isClosed = true;
  calls.started(pending, status == Status.Ok, stream.id);
  return status;
}

/** What a host says of a gRPC call. */
export enum GrpcEvent {
  /** `proxy_on_grpc_receive_initial_metadata` */
  InitialMetadata = 0,
  /** `proxy_on_grpc_receive` */
  Message = 1,
  /** `proxy_on_grpc_receive_trailing_metadata` */
  TrailingMetadata = 2,
  /** `proxy_on_grpc_close` */
  Close = 3,
}

/** The `PendingCalls` of this kind, pinned; a managed variable would be in every filter. */
let pending: usize = 0;

/** Tells the handler of a call what the host says; false when there is none. */
export function deliverGrpc(event: GrpcEvent, callId: u32, value: u32): bool {
  return pending ? call_indirect<bool>(delivererOf(pending), event, callId, value) : false;
}

function pendingCalls(): PendingCalls {
  if (!pending) pending = changetype<usize>(new PendingCalls(changetype<usize>(deliver)));
  return changetype<PendingCalls>(pending);
}

function forget(id: u32): void {
  if (!pending) return;
  const call = pendingCalls().known(id);
  if (call !== null) pendingCalls().remove(call);
}

function deliver(event: GrpcEvent, callId: u32, value: u32): bool {
  const calls = pendingCalls();
  // Envoy speaks of the metadata of a stream that fails at once from within the call that opens it, and then refuses it.
  const isMetadata = event == GrpcEvent.InitialMetadata || event == GrpcEvent.TrailingMetadata;
  const call = isMetadata ? calls.known(callId) : calls.find(callId);
  if (call === null) return false;
  const isOver = event == GrpcEvent.Close || !call.isStream;
  if (isOver) calls.remove(call);
  else calls.keep(call);
  // A context that the host knows no more is not called either.
  if (!focus(call.contextId)) return true;
  if (call.isStream) deliverToStream(call, event, callId, value);
  else deliverToCall(call, event, value);
  return true;
}

function deliverToCall(call: PendingCall, event: GrpcEvent, value: u32): void {
  const isMessage = event == GrpcEvent.Message;
  const response = new GrpcResponse((isMessage ? GrpcStatus.Ok : value) as GrpcStatus, isMessage ? value : 0);
  (call.handler as GrpcCallHandler).onResponse(response);
}

function deliverToStream(call: PendingCall, event: GrpcEvent, id: u32, value: u32): void {
  const handler = call.handler as GrpcStreamHandler;
  switch (event) {
    case GrpcEvent.InitialMetadata:
      handler.onInitialMetadata(HeaderMap.of(MapType.GrpcReceiveInitialMetadata), value);
      break;
    case GrpcEvent.Message:
      handler.onMessage(readMessage());
      break;
    case GrpcEvent.TrailingMetadata:
      handler.onTrailingMetadata(HeaderMap.of(MapType.GrpcReceiveTrailingMetadata), value);
      break;
    case GrpcEvent.Close: {
      const stream = handler.stream!;
      // Envoy keeps what the server has closed until the filter has done so as well.
      if (!stream.isClosed) proxy_grpc_close(id);
      stream.isClosed = true;
      handler.onClose(value as GrpcStatus, readStatusMessage());
      break;
    }
  }
}

function readMessage(): Uint8Array {
  beginCall();
  const status = proxy_get_buffer_bytes(BufferType.GrpcReceiveBuffer, 0, usize.MAX_VALUE, answerData, answerSize);
  return status == Status.Ok ? answerBytes() : new Uint8Array(0);
}

function readStatusMessage(): string {
  beginCall();
  return proxy_get_status(reserve(4), answerData, answerSize) == Status.Ok ? answerText() : "";
}

/**
 * Writes the name of a cluster. Envoy takes a name for a `GrpcService` message when its bytes happen to be one, as those
 * of `users` are: such a name is sent inside of a real one (`envoy_grpc.cluster_name`).
 */
function writeCluster(name: usize): usize {
  const at = write(name);
  const size = written;
  if (!mayBeMessage(at, at + size) || size > 120) return at;
  const message = reserve(size + 4);
  store<u8>(message, 0x0a);
  store<u8>(message, size + 2, 1);
  store<u8>(message, 0x0a, 2);
  store<u8>(message, size, 3);
  memory.copy(message + 4, at, size);
  return message;
}

/** Whether these bytes may be protobuf: field behind field, each with its wire type in three bits. */
function mayBeMessage(at: usize, end: usize): bool {
  while (at < end) {
    const type = load<u8>(at++) & 7;
    if (type == 0) at += 1;
    else if (type == 1) at += 8;
    else if (type == 2) at += at < end ? 1 + (load<u8>(at) as usize) : 1;
    else if (type == 5) at += 4;
    // Groups: rather once too often than to look for their end.
    else return type == 3;
  }
  return at == end;
}
