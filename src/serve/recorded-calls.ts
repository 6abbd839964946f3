// What is kept of the calls that filters make in an exchange. The calls themselves, with all of their bytes, are let go
// when they are over.

import type { Callout, CalloutState } from "../callouts/callouts.ts";
import type { GrpcCallout } from "../callouts/grpc.ts";
import type { HeaderEntry } from "../http/header-map.ts";
import { headerEntries, type HttpHeaders } from "../http/http-headers.ts";
import { RecordedMessage } from "./recorded-message.ts";

/** Bytes that may be kept. */
export class Room {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get left(): number {
    return this.#left;
  }

  /** Takes so many of them, or says that there are less. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
}

/** An HTTP callout. */
export class RecordedCallout {
  readonly cluster: string;
  readonly timeoutMs: number;
  state: CalloutState = "pending";
  /** What the filter asked for, and what it got; undefined while there is nothing, and when there was no room for it. */
  readonly request: RecordedMessage | undefined;
  response: RecordedMessage | undefined;
  /** Whether all of it was kept. */
  whole: boolean;

  constructor({ cluster, request }: Callout, room: Room) {
    this.cluster = cluster;
    this.timeoutMs = request.timeoutMs;
    this.request = recorded(request, room);
    this.whole = this.request?.whole === true;
  }

  /** It is over. */
  end({ state, response }: Callout, room: Room): void {
    this.state = state;
    if (!response) return;
    this.response = recorded(response, room);
    this.whole &&= this.response?.whole === true;
  }
}

/** A gRPC call or stream. */
export class RecordedGrpcCall {
  readonly cluster: string;
  readonly service: string;
  readonly method: string;
  readonly isStream: boolean;
  state: GrpcCallout["state"] = "open";
  result: GrpcCallout["result"] = null;
  #open: GrpcCallout | undefined;
  #messages = 0;

  constructor(call: GrpcCallout) {
    this.cluster = call.cluster;
    this.service = call.service;
    this.method = call.method;
    this.isStream = call.isStream;
    this.#open = call;
  }

  /** How many messages the filter has sent. */
  get messages(): number {
    return this.#open?.messages.length ?? this.#messages;
  }

  /** It is over. */
  end({ state, result }: GrpcCallout): void {
    this.state = state;
    this.result = result;
    this.#messages = this.messages;
    this.#open = undefined;
  }
}

interface Message {
  readonly headers: HttpHeaders;
  readonly body: Uint8Array;
  readonly trailers: HttpHeaders;
}

function recorded({ headers, body, trailers }: Message, room: Room): RecordedMessage | undefined {
  const [head, last] = [headerEntries(headers), headerEntries(trailers)];
  if (!room.take(sizeOf(head) + sizeOf(last))) return undefined;
  const message = new RecordedMessage(head);
  message.trailers = last;
  message.add(body, room.left);
  room.take(message.kept);
  return message;
}

function sizeOf(entries: readonly HeaderEntry[]): number {
  return entries.reduce((size, [name, value]) => size + name.length + value.length, 0);
}
