// An exchange as the page shows it: everything as text, credentials masked.

import type { Callout } from "../../callouts.ts";
import type { GrpcCallout } from "../../grpc.ts";
import type { HeaderEntry } from "../../header-map.ts";
import { masked, type Secrets } from "../../serve/mask.ts";
import type { Passage } from "../../serve/observer.ts";
import { type ExchangeRecord, headerChanges, readable, type RecordedMessage } from "../../serve/record.ts";
import { eventJson } from "../serve/trace-json.ts";
import { answerOf, secretsOf } from "../serve/trace-lines.ts";
import { canReplay } from "./replay.ts";

/** All of an exchange. */
export function viewOf(record: ExchangeRecord, trap: string | undefined): object {
  const secrets = secretsOf(record);
  const { messages, result } = record;
  return {
    id: record.id,
    startedAt: record.startedAt.toISOString(),
    method: readable(record.requested(":method")),
    path: readable(record.requested(":path")),
    status: result?.status ?? null,
    milliseconds: result?.milliseconds ?? null,
    details: readable(result?.details ?? ""),
    canReplay: canReplay(record),
    request: sideOf("request", messages),
    response: sideOf("response", messages),
    events: record.events.map(({ at, event }) => ({
      at,
      ...eventJson(event, (text) => secrets.redact(text)),
      ...(event.kind === "callback" && event.result !== undefined && { result: answerOf(event.name, event.result) }),
    })),
    dropped: record.dropped,
    callouts: record.trace.callouts.map((callout) => calloutOf(callout, secrets)),
    grpcCalls: record.trace.grpcCalls.map(grpcOf),
    trap: trap === undefined ? null : secrets.redact(trap),
  };
}

function sideOf(which: "request" | "response", messages: ExchangeRecord["messages"]): object {
  const before = messages[`${which} received` as Passage];
  const after = messages[`${which} sent` as Passage];
  return {
    before: before ? messageOf(before) : null,
    after: after ? messageOf(after) : null,
    headers: diff(before, after),
  };
}

interface DiffLine {
  readonly kind: "same" | "removed" | "added";
  readonly name: string;
  readonly value: string;
}

/** The headers at both passages in one list; those of the only one there is are the same. */
function diff(before: RecordedMessage | undefined, after: RecordedMessage | undefined): DiffLine[] {
  const only = before ?? after;
  if (!only) return [];
  const changes = headerChanges(before, after);
  const removed = changes.filter(({ kind }) => kind === "removed");
  const lines: DiffLine[] = only.headers.map(([name, value]) => {
    const at = removed.findIndex((change) => change.name === name && change.value === value);
    if (at < 0) return line("same", name, value);
    removed.splice(at, 1);
    return line("removed", name, value);
  });
  for (const { kind, name, value } of changes) if (kind === "added") lines.push(line(kind, name, value));
  return lines;
}

function line(kind: DiffLine["kind"], name: string, value: string): DiffLine {
  return { kind, name: readable(name), value: masked(name, readable(value)) };
}

function messageOf(message: RecordedMessage): object {
  return {
    headers: maskedEntries(message.headers),
    trailers: maskedEntries(message.trailers),
    size: message.size,
    whole: message.whole,
    ...bodyOf(message.body),
  };
}

function maskedEntries(entries: readonly HeaderEntry[]): [string, string][] {
  return entries.map(([name, value]) => [readable(name), masked(name, readable(value))]);
}

/** The text of a body, or its bytes in base 64 when they are no text. */
function bodyOf(bytes: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { base64: Buffer.from(bytes).toString("base64") };
  }
}

function calloutOf({ cluster, request, response, state }: Callout, secrets: Secrets): object {
  return {
    cluster,
    state,
    method: request.method,
    path: request.path,
    headers: [...request.headers].map(([name, value]) => [name, masked(name, value)]),
    body: secrets.redact(request.text()),
    timeoutMs: request.timeoutMs,
    status: response?.status ?? null,
    responseHeaders: response ? [...response.headers].map(([name, value]) => [name, masked(name, value)]) : [],
    responseBody: response ? secrets.redact(response.text()) : "",
  };
}

function grpcOf({ cluster, service, method, isStream, state, result, messages }: GrpcCallout): object {
  return { cluster, service, method, isStream, state, result, messages: messages.length };
}
