// Matchers for vitest: `import "proxy-wasm/vitest"` in a test or a set-up file.

import { afterEach, beforeEach, expect } from "vitest";

import { LogLevel } from "../assembly/abi.ts";
import type { Callout } from "./callouts/callouts.ts";
import { isDebugged } from "./module/debugger.ts";
import { LeakError } from "./error.ts";
import { FilterResponse } from "./exchange.ts";
import { Filter } from "./filter.ts";
import { FilterStream } from "./filter-stream.ts";
import type { GrpcCallout } from "./callouts/grpc.ts";
import type { HttpHeaders } from "./http/http-headers.ts";
import { type Leftover, leftovers } from "./leftovers.ts";
import { Step } from "./step.ts";
import { Watchdog } from "./module/time-limit.ts";
import type { LogEntry, Trace } from "./trace.ts";

/** The name of a log level. */
export type LogLevelName = "trace" | "debug" | "info" | "warn" | "error" | "critical";

/** What a callout is expected to be. What is left out may be anything. */
export interface CalloutLike {
  /** `:method`; `POST` of a gRPC call. */
  readonly method?: string;
  /** Path and query; `/<service>/<method>` of a gRPC call. */
  readonly path?: string | RegExp;
  /** `:authority`. */
  readonly authority?: string;
  /** These among its headers. */
  readonly headers?: Readonly<Record<string, string | RegExp>>;
  /** The body as text; the last message of a gRPC call. */
  readonly body?: string | RegExp;
}

/** What can be expected of a response, a stream, a step of it, or a filter. */
export interface FilterMatchers<R = unknown> {
  /** The response has this status code. */
  toHaveStatus(status: number): R;
  /** The message has this header; with a value, one of its values is that one, or matches it. */
  toHaveHeader(name: string, value?: string | RegExp): R;
  /** The response's body is this text. */
  toHaveBody(text: string | RegExp): R;
  /** The filter or the proxy answered by itself; with a status, with that one. */
  toHaveRepliedLocally(status?: number): R;
  /** The filter logged a line of this level that is this text, or matches it. */
  toHaveLogged(level: LogLevelName, text?: string | RegExp): R;
  /** The filter has sent a callout to this cluster; with a description, one that fits it. Of a filter: one that waits. */
  toHaveCalled(cluster: string, like?: CalloutLike): R;
  /** The filter holds this step's direction back. */
  toPause(): R;
  /** The filter let this step pass. */
  toContinue(): R;
  /** The filter has stopped for good; with a text, its report contains or matches it. */
  toHaveTrapped(text?: string | RegExp): R;
}

declare module "vitest" {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- declaration merging wants an interface
  interface Matchers<T = any> extends FilterMatchers<T> {}
}

interface Result {
  pass: boolean;
  message: () => string;
}

expect.extend({
  toHaveStatus(received: unknown, status: number): Result {
    const response = needs(received, FilterResponse, "toHaveStatus", "a response of filter.request()");
    return result(response.status === status, `status ${status}`, `${response.status}`, response.trace);
  },

  toHaveHeader(received: unknown, name: string, value?: string | RegExp): Result {
    const { headers, trace } = withHeaders(received);
    const values = headers.getAll(name);
    const pass = value === undefined ? values.length > 0 : values.some((one) => matches(one, value));
    const wanted = `header ${name}${value === undefined ? "" : `: ${String(value)}`}`;
    const present = headers.entries().map(([key, one]) => `\n    ${key}: ${one}`);
    return result(pass, wanted, values.length ? values.join(" | ") : `none of it among${present.join("")}`, trace);
  },

  toHaveBody(received: unknown, text: string | RegExp): Result {
    const response = needs(received, FilterResponse, "toHaveBody", "a response of filter.request()");
    return result(matches(response.text(), text), `body ${String(text)}`, response.text(), response.trace);
  },

  toHaveRepliedLocally(received: unknown, status?: number): Result {
    const { localReply, trace } = received as FilterResponse | FilterStream;
    const pass = localReply !== null && (status === undefined || localReply.status === status);
    const wanted = `a local reply${status === undefined ? "" : ` with status ${status}`}`;
    return result(pass, wanted, localReply ? `one with status ${localReply.status}` : "none", trace);
  },

  toHaveLogged(received: unknown, level: LogLevelName, text?: string | RegExp): Result {
    const { logs, trace } = received as { logs: readonly LogEntry[]; trace: Trace };
    const lines = logs.filter((entry) => LogLevel[entry.level]!.toLowerCase() === level);
    const pass = lines.some(({ message }) => text === undefined || matches(message, text));
    const wanted = `a log line ${level}${text === undefined ? "" : ` ${String(text)}`}`;
    return result(pass, wanted, logs.map(({ message }) => JSON.stringify(message)).join(", ") || "none", trace);
  },

  toHaveCalled(received: unknown, cluster: string, like: CalloutLike = {}): Result {
    const { callouts, grpcCalls, trace } = received as CallingThing;
    const calls: Called[] = [...callouts.map(({ request }) => request), ...grpcCalls.map(asCalled)];
    const pass = calls.some((call) => call.cluster === cluster && isLike(call, like));
    const details = Object.keys(like).length ? ` like ${describeLike(like)}` : "";
    const found = calls.map(({ cluster, method, path }) => `${cluster} ${method} ${path}`).join(", ");
    return result(pass, `a callout to ${cluster}${details}`, found || "none", trace);
  },

  toPause(received: unknown): Result {
    const { paused, trace } = needs(received, Step, "toPause", "a step of filter.stream() or filter.connection()");
    return result(paused, "to pause", paused ? "paused" : "went on", trace);
  },

  toContinue(received: unknown): Result {
    const { paused, trace } = needs(received, Step, "toContinue", "a step of filter.stream() or filter.connection()");
    return result(!paused, "to go on", paused ? "paused" : "went on", trace);
  },

  toHaveTrapped(received: unknown, text?: string | RegExp): Result {
    const { trap } = needs(received, Filter, "toHaveTrapped", "a filter of loadFilter()");
    const pass =
      trap !== null && (text === undefined || (typeof text === "string" ? trap.includes(text) : text.test(trap)));
    return result(pass, `a trap${text === undefined ? "" : ` with ${String(text)}`}`, trap ?? "none", undefined);
  },
});

/** How long a callback may run in a test, in milliseconds: far more than any needs, even on a busy machine. */
const CALLBACK_MS = 5000;

/** How many callbacks of a test end with an error. Each takes 0.1 ms more for it, which adds up in a test of very many. */
const WATCHED_CALLBACKS = 5000;

// Whoever stops at a breakpoint takes as long as he likes.
if (!isDebugged()) Watchdog.current ??= Watchdog.of(CALLBACK_MS, WATCHED_CALLBACKS);

let atStart: ReadonlySet<Leftover> = new Set();

beforeEach(() => {
  atStart = new Set(leftovers);
  Watchdog.current?.renew();
});

// A test that leaves something unfinished has not seen what the filter does then.
afterEach(({ task }) => {
  const begun = [...leftovers].filter((leftover) => !atStart.has(leftover));
  for (const leftover of begun) leftovers.delete(leftover);
  const stopped = Watchdog.current?.stopped();
  if (stopped) throw stopped;
  if (task.result?.state === "fail") return;
  const texts = begun.flatMap((leftover) => leftover() ?? []);
  if (texts.length) throw new LeakError(`when the test ended,\n${texts.map((text) => `  ${text}`).join("\n")}`);
});

/** A callout of either kind, as far as a test may ask for it. */
interface Called {
  readonly cluster: string;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: HttpHeaders;
  text(): string;
}

/** A response, a stream, a filter or a trace. */
interface CallingThing {
  readonly callouts: readonly Callout[];
  readonly grpcCalls: readonly GrpcCallout[];
  readonly trace?: Trace;
}

function asCalled(call: GrpcCallout): Called {
  const { cluster, service, method, metadata } = call;
  const [path, authority] = [`/${service}/${method}`, metadata.get(":authority") ?? ""];
  return { cluster, method: "POST", path, authority, headers: metadata, text: () => call.text() };
}

function isLike(call: Called, like: CalloutLike): boolean {
  const { method, path, authority, headers = {}, body } = like;
  return (
    (method === undefined || call.method === method) &&
    (path === undefined || matches(call.path, path)) &&
    (authority === undefined || call.authority === authority) &&
    (body === undefined || matches(call.text(), body)) &&
    Object.entries(headers).every(([name, value]) => call.headers.getAll(name).some((one) => matches(one, value)))
  );
}

function describeLike(like: CalloutLike): string {
  return JSON.stringify(like, (_key, value: unknown) => (value instanceof RegExp ? String(value) : value));
}

function matches(value: string, wanted: string | RegExp): boolean {
  return typeof wanted === "string" ? value === wanted : wanted.test(value);
}

function needs<T>(received: unknown, type: abstract new (...args: never[]) => T, matcher: string, what: string): T {
  if (received instanceof type) return received;
  throw new TypeError(`${matcher} is for ${what}; this is ${String(received)}`);
}

function withHeaders(received: unknown): { headers: HttpHeaders; trace: Trace | undefined } {
  if (received instanceof FilterStream) return { headers: received.response.headers, trace: received.trace };
  const { headers, trace } = received as { headers: HttpHeaders; trace?: Trace };
  return { headers, trace };
}

function result(pass: boolean, wanted: string, found: string, trace: Trace | undefined): Result {
  const story = trace?.events.length ? `\n\nwhat happened:\n${trace}` : "";
  return { pass, message: () => `expected ${pass ? "not " : ""}${wanted}; found: ${found}${story}` };
}
