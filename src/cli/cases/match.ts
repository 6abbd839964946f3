// Compares what came of a phase with what was expected.

import type { HttpHeaders } from "../../http/http-headers.ts";
import { CommandError } from "../errors.ts";
import { type Expectation, isTrue, type Matcher } from "./cases.ts";
import type { ValuePath } from "./document.ts";

/** What came of a phase. */
export interface Outcome {
  /** What has come out behind the filter: the message, or the reply. */
  readonly headers: HttpHeaders | undefined;
  readonly body: string;
  readonly reply:
    { readonly status: number; readonly grpcStatus: number | undefined; readonly details: string } | undefined;
  readonly logs: readonly string[];
  readonly paused: boolean;
  readonly callouts: readonly CalloutSeen[];
}

/** A call that the filter made. */
export interface CalloutSeen {
  readonly cluster: string;
  readonly method: string;
  readonly path: string;
  readonly headers: HttpHeaders;
  text(): string;
}

/** Something that is not as expected, and where that was expected. */
export interface Mismatch {
  readonly path: ValuePath;
  readonly text: string;
}

/** Reads a file that the cases name. */
export type ReadText = (file: string) => Promise<string>;

/** All that is not as expected. */
export async function compare(
  expected: Expectation,
  outcome: Outcome,
  path: ValuePath,
  read: ReadText,
): Promise<Mismatch[]> {
  const mismatches: Mismatch[] = [];
  const wrong = (at: ValuePath, text: string): void => void mismatches.push({ path: [...path, ...at], text });
  compareHeaders(expected, outcome, wrong);
  compareReply(expected, outcome, wrong);
  if (expected.paused !== undefined && isTrue(expected.paused) !== outcome.paused) {
    wrong(["paused"], outcome.paused ? "the filter holds the message" : "the filter lets the message pass");
  }
  for (const [i, call] of (expected.callout ?? []).entries()) {
    if (outcome.callouts.some((seen) => isCall(call, seen))) continue;
    const seen = outcome.callouts.map(({ cluster, method, path: to }) => `${cluster} ${method} ${to}`).join(", ");
    wrong(["callout", i], `no such callout to ${call.cluster}; there were: ${seen || "none"}`);
  }
  const headerLines = (outcome.headers?.entries() ?? []).map(([name, value]) => `${name}: ${value}`);
  const lists = [
    ["headers", expected.headers, headerLines, "header"],
    ["body", expected.body, [outcome.body], "body"],
    ["log", expected.log, outcome.logs, "line of the log"],
  ] as const;
  for (const [field, matchers, texts, what] of lists) {
    for (const [i, matcher] of (matchers ?? []).entries()) {
      const text = await mismatch(matcher, texts, what, read);
      if (text !== undefined) wrong([field, i], text);
    }
  }
  return mismatches;
}

type Wrong = (at: ValuePath, text: string) => void;

function compareHeaders({ has_header, no_header }: Expectation, { headers, paused }: Outcome, wrong: Wrong): void {
  const why = paused ? "the filter holds the message" : "no message came out";
  for (const [i, { key, value }] of (has_header ?? []).entries()) {
    const values = valuesOf(headers, key);
    if (values.includes(String(value)) || values.join(", ") === String(value)) continue;
    const found = headers ? values.map((one) => JSON.stringify(one)).join(", ") || "none" : why;
    wrong(["has_header", i], `expected ${key}: ${String(value)}; found: ${found}`);
  }
  for (const [i, { key }] of (no_header ?? []).entries()) {
    const [value] = valuesOf(headers, key);
    if (value !== undefined) wrong(["no_header", i], `${key} is there: ${value}`);
  }
}

/** The values of a name as it is written: `host` is not `:authority` here. */
function valuesOf(headers: HttpHeaders | undefined, key: string): string[] {
  return (headers?.entries() ?? []).flatMap(([name, value]) => (name === key.toLowerCase() ? [value] : []));
}

function compareReply({ immediate }: Expectation, { reply }: Outcome, wrong: Wrong): void {
  if (!immediate) return;
  if (!reply) return wrong(["immediate"], "the filter does not answer by itself");
  const { http_status, grpc_status, details } = immediate;
  if (http_status !== undefined && http_status !== reply.status)
    wrong(["immediate", "http_status"], `it is ${reply.status}`);
  if (grpc_status !== undefined && grpc_status !== reply.grpcStatus) {
    wrong(["immediate", "grpc_status"], `it is ${reply.grpcStatus ?? "not set"}`);
  }
  if (details !== undefined && details !== reply.details)
    wrong(["immediate", "details"], `they are ${JSON.stringify(reply.details)}`);
}

function isCall(expected: NonNullable<Expectation["callout"]>[number], seen: CalloutSeen): boolean {
  return (
    expected.cluster === seen.cluster &&
    (expected.method ?? seen.method) === seen.method &&
    (expected.path ?? seen.path) === seen.path &&
    (expected.body === undefined || expected.body === seen.text()) &&
    (expected.has_header ?? []).every(({ key, value }) => seen.headers.getAll(key).includes(String(value)))
  );
}

/** Why none of the texts is as wanted, or one is that is not to be. */
async function mismatch(
  matcher: Matcher,
  texts: readonly string[],
  what: string,
  read: ReadText,
): Promise<string | undefined> {
  const test = await tester(matcher, read);
  const found = texts.find((text) => test(text));
  if (isTrue(matcher.invert))
    return found === undefined ? undefined : `a ${what} matches that should not: ${JSON.stringify(found)}`;
  if (found !== undefined) return undefined;
  return `no ${what} matches; there is: ${texts.map((text) => JSON.stringify(text)).join(", ") || "none"}`;
}

async function tester({ exact, regex, file }: Matcher, read: ReadText): Promise<(text: string) => boolean> {
  if (exact !== undefined) return (text) => text === exact;
  if (file !== undefined) {
    const wanted = await read(file);
    return (text) => text === wanted;
  }
  const pattern = expression(regex!);
  return (text) => pattern.test(text);
}

/** A pattern as RE2 has it, of all of a text. Flags at its beginning are JavaScript's where it has them. */
function expression(text: string): RegExp {
  const [, flags = "", rest = text] = /^\(\?([ims]+)\)(.*)$/s.exec(text) ?? [];
  try {
    return new RegExp(`^(?:${rest})$`, flags);
  } catch (error) {
    throw new CommandError(`${JSON.stringify(text)} is no regular expression: ${(error as Error).message}`);
  }
}
