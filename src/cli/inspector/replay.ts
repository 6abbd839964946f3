// Sends a request once more, or another one, by the port that clients use.

import { request as httpRequest } from "node:http";

import { decodeText, encodeText, toBytes, toText } from "../../encoding/bytes.ts";
import type { ExchangeRecord } from "../../serve/record.ts";
import { UsageError } from "../errors.ts";

/** A request to send. */
export interface Draft {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | Uint8Array;
}

/** Whether an exchange can be sent once more: all of the request was kept, and it is no other protocol. */
export function canReplay(record: ExchangeRecord): boolean {
  const request = record.messages["request received"];
  return request !== undefined && request.whole && request.get("upgrade") === undefined && record.result !== undefined;
}

/** The request of an exchange, credentials and all. */
export function draftOf(record: ExchangeRecord): Draft {
  const request = record.messages["request received"]!;
  return {
    method: decodeText(request.get(":method") ?? "GET"),
    path: decodeText(request.get(":path") ?? "/"),
    headers: [
      ["host", decodeText(request.get(":authority") ?? "")] as const,
      ...request.headers.flatMap(([name, value]) => (isOwn(name) ? [] : [[name, decodeText(value)] as const])),
    ],
    body: request.body,
  };
}

/** What a person has written; what was masked is as in the exchange that it was made from. */
export function readDraft(value: unknown, from: ExchangeRecord | undefined): Draft {
  const { method, path, headers, body = "" } = (value ?? {}) as Record<string, unknown>;
  if (typeof method !== "string" || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method) || method === "CONNECT") {
    throw new UsageError(`${JSON.stringify(method)} is no method; GET, POST or another word is expected`);
  }
  if (typeof path !== "string" || !/^(\/|\*$)[^\s#\x00-\x1f]*$/.test(path)) {
    throw new UsageError(`${JSON.stringify(path)} is no path; it begins with / and has no blanks`);
  }
  if (typeof body !== "string") throw new UsageError("the body is a text");
  if (!Array.isArray(headers)) throw new UsageError("the headers are a list of names and values");
  const read = headers.map(readHeader);
  return from ? unmasked({ method, path, body, headers: read }, from) : { method, path, body, headers: read };
}

/** A draft that was made from an exchange, with what the page did not show of it. */
function unmasked({ method, path, headers, body }: Draft & { body: string }, from: ExchangeRecord): Draft {
  const { secrets } = from;
  const known = draftOf(from);
  return {
    method,
    path: secrets.restore(path, known.path),
    headers: headers.map(([name, value]) => {
      const same = known.headers.find(
        ([key, text]) => key === name.toLowerCase() && secrets.shown(key, text) === value,
      );
      return [name, same?.[1] ?? value];
    }),
    body: secrets.restore(body, toText(toBytes(known.body))),
  };
}

function readHeader(header: unknown): readonly [string, string] {
  const [name, value] = Array.isArray(header) ? (header as unknown[]) : [];
  if (typeof name !== "string" || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) {
    throw new UsageError(`${JSON.stringify(name)} is no name of a header`);
  }
  if (typeof value !== "string" || /[\0-\x08\x0a-\x1f\x7f]/.test(value)) {
    throw new UsageError(`the value of ${name} is a text without control characters`);
  }
  return [name, value];
}

/** Milliseconds that an answer is read for. */
const PATIENCE_MS = 30_000;

/**
 * Sends it to where the server listens, and says in words what came of it when an answer begins, or when there is none.
 * The answer is read to its end, for a while, or until the signal.
 */
export function send(url: string, { method, path, headers, body }: Draft, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const bytes = Buffer.from(body as string);
    const lines = headers.filter(([name]) => !isOwn(name)).flatMap(([name, value]) => [name, encodeText(value)]);
    if (bytes.length || !/^(GET|HEAD|DELETE)$/.test(method)) lines.push("content-length", String(bytes.length));
    const { hostname, port } = new URL(url);
    const request = httpRequest(
      {
        hostname: hostname.replace(/^\[|\]$/g, ""),
        port,
        method,
        path: path.replace(/[^\x21-\x7e]+/g, encodeURIComponent),
        headers: lines,
        setHost: false,
        agent: false,
        signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
      } as object,
      (response) => {
        resolve(`it was answered with ${response.statusCode}`);
        // One that is broken off is an answer as well.
        response.on("error", () => {}).resume();
      },
    );
    request.on("error", ({ message }) => resolve(message));
    request.end(bytes);
  });
}

/** Headers that the proxy, or whoever sends, writes by itself. */
function isOwn(name: string): boolean {
  return name.startsWith(":") || /^(content-length|transfer-encoding|connection|expect|x-request-id)$/i.test(name);
}
