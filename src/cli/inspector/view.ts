// An exchange as the page shows it: everything as text, credentials masked.

import { decodeText, toText } from "../../encoding/bytes.ts";
import type { HeaderEntry } from "../../http/header-map.ts";
import { headerChanges } from "../../serve/header-changes.ts";
import type { Secrets } from "../../serve/mask.ts";
import type { Passage } from "../../serve/observer.ts";
import type { ExchangeRecord } from "../../serve/record.ts";
import type { RecordedCallout, RecordedGrpcCall } from "../../serve/recorded-calls.ts";
import type { RecordedMessage } from "../../serve/recorded-message.ts";
import { eventJson } from "../serve/trace-json.ts";
import { answerOf } from "../serve/trace-lines.ts";
import { canReplay } from "./replay.ts";

/** All of an exchange. */
export function viewOf(record: ExchangeRecord, trap: string | undefined): object {
  const { messages, result, secrets } = record;
  return {
    id: record.id,
    startedAt: record.startedAt.toISOString(),
    method: decodeText(record.requested(":method")),
    path: secrets.redact(decodeText(record.requested(":path"))),
    status: result?.status ?? null,
    milliseconds: result?.milliseconds ?? null,
    details: decodeText(result?.details ?? ""),
    canReplay: canReplay(record),
    request: sideOf("request", messages, secrets),
    response: sideOf("response", messages, secrets),
    events: record.events.map(({ at, event }) => ({
      at,
      ...eventJson(event, (text) => secrets.redact(text)),
      ...(event.kind === "callback" && event.result !== undefined && { result: answerOf(event.name, event.result) }),
    })),
    dropped: record.dropped,
    callouts: record.callouts.map((callout) => calloutOf(callout, secrets)),
    grpcCalls: record.grpcCalls.map((call) => grpcOf(call, secrets)),
    droppedCalls: record.droppedCalls,
    trap: trap === undefined ? null : secrets.redact(trap),
  };
}

function sideOf(which: "request" | "response", messages: ExchangeRecord["messages"], secrets: Secrets): object {
  const before = messages[`${which} received` as Passage];
  const after = messages[`${which} sent` as Passage];
  return {
    before: before ? messageOf(before, secrets) : null,
    after: after ? messageOf(after, secrets) : null,
    headers: diff(before, after, secrets),
  };
}

interface DiffLine {
  readonly kind: "same" | "removed" | "added";
  readonly name: string;
  readonly value: string;
}

/** The headers at both passages in one list; those of the only one there is are the same. */
function diff(before: RecordedMessage | undefined, after: RecordedMessage | undefined, secrets: Secrets): DiffLine[] {
  const line = (kind: DiffLine["kind"], name: string, value: string): DiffLine => ({
    kind,
    name: decodeText(name),
    value: secrets.shown(name, decodeText(value)),
  });
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

function messageOf(message: RecordedMessage, secrets: Secrets): object {
  return {
    headers: shownEntries(message.headers, secrets),
    trailers: shownEntries(message.trailers, secrets),
    size: message.size,
    whole: message.whole,
    ...bodyOf(secrets.redactBytes(message.body)),
  };
}

function shownEntries(entries: readonly HeaderEntry[], secrets: Secrets): [string, string][] {
  return entries.map(([name, value]) => [decodeText(name), secrets.shown(name, decodeText(value))]);
}

/** The text of a body, or its bytes in base 64 when they are no text. */
function bodyOf(bytes: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { base64: Buffer.from(bytes).toString("base64") };
  }
}

function calloutOf({ cluster, state, timeoutMs, request, response, whole }: RecordedCallout, secrets: Secrets): object {
  const text = (message: RecordedMessage | undefined): string =>
    message ? toText(secrets.redactBytes(message.body)) : "";
  return {
    cluster,
    state,
    method: decodeText(request?.get(":method") ?? ""),
    path: secrets.redact(decodeText(request?.get(":path") ?? "")),
    headers: request ? shownEntries(request.headers, secrets) : [],
    body: text(request),
    timeoutMs,
    status: response ? Number(response.get(":status")) : null,
    responseHeaders: response ? shownEntries(response.headers, secrets) : [],
    responseBody: text(response),
    whole,
  };
}

function grpcOf(
  { cluster, service, method, isStream, state, result, messages }: RecordedGrpcCall,
  secrets: Secrets,
): object {
  const outcome = result && { ...result, message: secrets.redact(result.message) };
  return { cluster, service, method, isStream, state, result: outcome, messages };
}
