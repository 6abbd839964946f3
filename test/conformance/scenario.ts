// What a scenario is: a small filter whose callbacks are lists of host calls, what the client and the upstream send, and
// what came of it. The same data runs on our host (host.ts) and in a real Envoy (live.ts).

import { encodeText } from "../../src/encoding/bytes.ts";
import type { HeaderEntry } from "../../src/http/header-map.ts";
import { encodePairs } from "../../src/encoding/pairs.ts";
import type { FailurePolicy } from "../../src/index.ts";

/** A place that a host call writes an answer to, and how the probe shows it. */
export interface Output {
  readonly shows: "data" | "size" | "present" | "pairs" | "word" | "long" | "volatile";
}

/** Address and size of data: shown as text, `null` when both are 0, `-` when the host did not write them. */
export const data: Output = { shows: "data" };
/** Address and size of data, of which only the size is shown. */
export const size: Output = { shows: "size" };
/** Address and size of data, of which only is shown that it is there. */
export const present: Output = { shows: "present" };
/** Address and size of a header list. */
export const pairList: Output = { shows: "pairs" };
/** A 32-bit number, `-` when the host did not write it. */
export const word: Output = { shows: "word" };
/** A 64-bit number. */
export const long: Output = { shows: "long" };
/** A 64-bit number that differs from run to run. */
export const volatile: Output = { shows: "volatile" };

/** Text and bytes become two arguments, address and size; a bigint is a 64-bit number. */
export type Argument = number | bigint | string | Uint8Array | Output;

/** A host call by its name without `proxy_`; its status and its answers go to the log. */
export type Call = readonly [name: string, ...args: Argument[]];

/** What a callback does in turn; a number is what it answers, and ends it. Text is WebAssembly in text form. */
export type Step = Call | number | { readonly wat: string };

/** What a callback does the first time, the second time …; the last list serves every further time. */
export interface Turns {
  readonly turns: readonly (readonly Step[])[];
}

/** The callbacks of a filter, by name without `proxy_on_`. Those of a stream are always there, and log themselves. */
export type Script = Readonly<Record<string, readonly Step[] | Turns>>;

/** A message body: text is sent at once with its length, several pieces one after the other, chunked. */
export type Pieces = string | readonly string[];

/** What a client sends. */
export interface Request {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly HeaderEntry[];
  readonly body?: Pieces;
  readonly trailers?: readonly HeaderEntry[];
  /** Milliseconds after which the client goes away; it waits for the answer otherwise. */
  readonly leaves?: number;
  /** Milliseconds after which a client of HTTP/2 resets its stream. */
  readonly resets?: number;
  /** Pseudo headers of HTTP/2 in place of the usual ones. */
  readonly pseudo?: readonly HeaderEntry[];
}

/** What an upstream answers; `refused` takes no connection, the others end it before, or in the middle of, the answer. */
export interface Response {
  readonly status?: number;
  readonly headers?: readonly HeaderEntry[];
  readonly body?: Pieces;
  readonly trailers?: readonly HeaderEntry[];
  readonly fails?: "refused" | "before the head" | "after the body";
  /** The code with which an upstream of HTTP/2 resets its stream when it fails; it ends the connection otherwise. */
  readonly code?: number;
  /** Pseudo headers of HTTP/2 in place of the status. */
  readonly pseudo?: readonly HeaderEntry[];
  /** What an upstream of HTTP/2 says before its answer. */
  readonly interim?: number;
  /** Milliseconds until it answers. */
  readonly after?: number;
  /** Whether it does not wait for the end of the request. */
  readonly early?: boolean;
}

/** A TCP connection: the client's pieces, and the upstream's, each behind the client's; then the client ends. */
export interface Tcp {
  readonly client: readonly string[];
  readonly upstream: readonly string[];
}

/** One request and its answer, or one connection. */
export interface Exchange {
  readonly tcp?: Tcp;
  readonly request?: Request;
  readonly response?: Response;
  /** Several in place of one, for a request that is sent again; the last serves every further time. */
  readonly responses?: readonly Response[];
}

/** What the upstream answers to the request that comes to it after so many others. */
export function responseTo({ response = {}, responses = [response] }: Exchange, before: number): Response {
  return responses[Math.min(before, responses.length - 1)]!;
}

/** Whether the upstream takes no connection. */
export function isRefused(exchange: Exchange): boolean {
  return responseTo(exchange, 0).fails === "refused";
}

/** How the filter is configured. */
export interface Options {
  readonly name?: string;
  readonly rootId?: string;
  readonly config?: string;
  readonly vmConfig?: string;
  readonly failurePolicy?: FailurePolicy;
  readonly reloadBackoffMs?: number;
  readonly allowOnHeadersStopIteration?: boolean;
  readonly bufferBytes?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether our host has a main thread and tries the filter out first, as Envoy always does; their lines are left out. */
  readonly mainThread?: boolean;
}

/** A filter, an exchange, and how to look at it. */
export interface Scenario extends Exchange {
  /** Unique in its group. */
  readonly name: string;
  /** The filter's callbacks. */
  readonly on?: Script;
  /** Further parts of the filter, as `filterWat` has them; `malloc` replaces the allocator. */
  readonly parts?: { readonly imports?: string; readonly functions?: string; readonly malloc?: string };
  /** The whole filter instead, in text form or as bytes. */
  readonly module?: string | Uint8Array;
  readonly options?: Options;
  /** Several exchanges, one after the other, in place of one. */
  readonly exchanges?: readonly Exchange[];
  /** Who speaks HTTP/2, and not HTTP/1.1. */
  readonly http2?: "client" | "upstream" | "both";
  /** A second filter behind this one, in a VM of its own; its lines begin with its name. */
  readonly second?: { readonly on: Script; readonly name: string };
  /** Words of the `EnvoyFault` with which our host refuses to do what Envoy does here. */
  readonly fault?: RegExp;
  /** Whether the filter's configuration goes in the end. Such a scenario has an Envoy of its own. */
  readonly removed?: boolean;
  /** Shows the metrics whose names in Envoy's `/stats` begin so. */
  readonly stats?: string;
  /** Whether log lines stand with level and prefix. Such a scenario has an Envoy of its own. */
  readonly wholeLog?: boolean;
}

/** A message on the wire. */
export interface Message {
  /** The status code or the request line, then the headers, sorted; nothing of a TCP connection, or when none came. */
  readonly head: readonly string[];
  readonly body?: string;
  readonly trailers?: readonly string[];
  /** Bytes behind its end. */
  readonly rest?: string;
  /** `complete`, unless the connection was closed in its middle or nothing more came. */
  readonly end: "complete" | "closed" | "open";
  /** Why HTTP/2 reset the stream, which it may do behind the end as well. */
  readonly reset?: string;
}

/** What became of an exchange; `client` is `closed` or `open` when there was no answer. */
export interface Outcome {
  readonly client: Message | "closed" | "open";
  /** The requests that reached the upstream. */
  readonly upstream: readonly Message[];
  /** Code and details of the access log. */
  readonly access: string;
}

/** What a scenario showed. */
export interface Observation {
  /** What the filter logged. */
  readonly log?: readonly string[];
  readonly exchanges?: readonly Outcome[];
  /** The metrics that were asked for. */
  readonly stats?: readonly string[];
  /** Envoy did not take the filter; why, in its words, which ours need not be. */
  readonly refused?: string;
  /** Envoy crashed, with this signal; our host threw an `EnvoyFault` with these words. */
  readonly crash?: string;
}

/** Milliseconds between two pieces of a message. */
export const GAP = 80;
/** Milliseconds after which a client that waits in vain gives up. */
export const PATIENCE = 1500;

/** Further lists for further calls. */
export function inTurn(...turns: readonly (readonly Step[])[]): Turns {
  return { turns };
}

/** The wire form of a header list. */
export function pairs(...entries: readonly HeaderEntry[]): Uint8Array {
  return encodePairs(entries.map(([name, value]): HeaderEntry => [encodeText(name), encodeText(value)]));
}

/** A trap. */
export const trap: Step = { wat: "(unreachable)" };

export const get = (map: number, name: string): Call => ["get_header_map_value", map, name, data];
export const list = (map: number): Call => ["get_header_map_pairs", map, pairList];
export const add = (map: number, name: string, value: string): Call => ["add_header_map_value", map, name, value];
export const set = (map: number, name: string, value: string): Call => ["replace_header_map_value", map, name, value];
export const remove = (map: number, name: string): Call => ["remove_header_map_value", map, name];
export const setAll = (map: number, ...entries: readonly HeaderEntry[]): Call => [
  "set_header_map_pairs",
  map,
  pairs(...entries),
];
export const mapSize = (map: number): Call => ["get_header_map_size", map, word];
export const read = (buffer: number, start = 0, most = 0xffffffff): Call => [
  "get_buffer_bytes",
  buffer,
  start,
  most,
  data,
];
export const bufferSize = (buffer: number): Call => ["get_buffer_status", buffer, word, word];
export const write = (buffer: number, start: number, length: number, text: string): Call => [
  "set_buffer_bytes",
  buffer,
  start,
  length,
  text,
];
export const property = (...path: readonly string[]): Call => ["get_property", path.join("\0"), data];
export const goOn = (stream: number): Call => ["continue_stream", stream];
export const close = (stream: number): Call => ["close_stream", stream];
export const context = (id: number): Call => ["set_effective_context", id];
export const tick = (milliseconds: number): Call => ["set_tick_period_milliseconds", milliseconds];
export const log = (text: string, level = 2): Call => ["log", level, text];

/** A local reply. */
export function reply(
  status: number,
  body = "",
  options: { details?: string; headers?: readonly HeaderEntry[]; grpc?: number } = {},
): Call {
  const { details = "", headers, grpc = -1 } = options;
  return ["send_local_response", status, details, body, headers ? pairs(...headers) : "", grpc];
}

/** Does something a little later, outside of any callback of the stream: use in a stream's callback, with `on.tick`. */
export const soon: Call = tick(40);
/** What `on.tick` begins with: no further tick, and the stream is meant. */
export const later: readonly Step[] = [tick(0), context(2)];
