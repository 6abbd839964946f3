// What arrives in a case: headers listed, or as the head of a message, or in a file beside the cases.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import { CommandError } from "../errors.ts";
import { whyUnreadable } from "../reasons.ts";
import type { Case, CaseInput } from "./cases.ts";

type Headers = (readonly [string, string])[];

/** Reads what the cases of a folder name. */
export class Inputs {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The head of a request; what every request has is put in where it is left out. */
  async requestHead(input: CaseInput = {}): Promise<Headers> {
    const headers = await this.#headers(input);
    return withDefaults(headers, { ":method": "GET", ":path": "/", ":authority": "localhost", ":scheme": "http" });
  }

  /** The head of a response, likewise. */
  async responseHead(input: CaseInput = {}): Promise<Headers> {
    return withDefaults(await this.#headers(input), { ":status": "200" });
  }

  async trailers(input: CaseInput = {}): Promise<Headers> {
    return this.#headers(input);
  }

  async body({ content, file }: CaseInput = {}): Promise<Uint8Array> {
    return file === undefined ? Buffer.from(content ?? "") : this.#bytes(file);
  }

  /** The text of a file. */
  async text(file: string): Promise<string> {
    return Buffer.from(await this.#bytes(file)).toString();
  }

  async #headers({ header = [], content, file }: CaseInput): Promise<Headers> {
    const listed = header.map(({ key, value }) => [key.toLowerCase(), String(value)] as const);
    const text = file === undefined ? content : await this.text(file);
    return text === undefined ? listed : [...headOf(text), ...listed];
  }

  async #bytes(file: string): Promise<Uint8Array> {
    try {
      return await readFile(resolve(this.#folder, file));
    } catch (error) {
      throw new CommandError(`cannot read ${file}: ${whyUnreadable(error)}`);
    }
  }
}

/** A body in the pieces that a case wants it in. */
export function bodyPieces(body: Uint8Array, test: Case): Uint8Array[] {
  const count = test.num_chunks ?? test.body_chunking_plan?.num_chunks;
  const size = test.chunk_size ?? test.body_chunking_plan?.chunk_size ?? (count ? Math.ceil(body.length / count) : 0);
  if (!size || body.length <= size) return [body];
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += size) pieces.push(body.subarray(at, at + size));
  return pieces;
}

/** The head of an HTTP/1 message as HTTP/2 has it. RFC 9112. */
function headOf(text: string): Headers {
  const [first = "", ...lines] = text.split(/\r?\n/);
  const headers: Headers = [];
  const status = /^HTTP\/\d(?:\.\d)? (\d{3})/.exec(first);
  const request = /^(\S+) (\S+) HTTP\/\d/.exec(first);
  if (status) headers.push([":status", status[1]!]);
  else if (request) headers.push(...requestLine(request[1]!, request[2]!));
  else
    throw new CommandError(
      `${JSON.stringify(first)} is no first line of a message, such as GET / HTTP/1.1 or HTTP/1.1 200 OK`,
    );
  for (const line of lines) {
    if (!line.trim()) continue;
    const at = line.indexOf(":");
    if (at < 1)
      throw new CommandError(`${JSON.stringify(line)} is no header: a name, a colon and a value are expected`);
    const [name, value] = [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
    if (name !== "host") headers.push([name, value]);
    else if (!headers.some(([key]) => key === ":authority")) headers.push([":authority", value]);
  }
  return headers;
}

function requestLine(method: string, target: string): Headers {
  const url = /^[a-z]+:\/\//i.test(target) && URL.canParse(target) ? new URL(target) : undefined;
  if (!url)
    return [
      [":method", method],
      [":path", target],
    ];
  return [
    [":method", method],
    [":scheme", url.protocol.slice(0, -1)],
    [":authority", url.host],
    [":path", url.pathname + url.search],
  ];
}

function withDefaults(headers: Headers, defaults: Readonly<Record<string, string>>): Headers {
  const missing = Object.entries(defaults).filter(([name]) => !headers.some(([key]) => key === name));
  return [...missing, ...headers];
}
