// A header map as Envoy keeps it: an ordered list, names in lower case, pseudo headers in front.
// Source: Envoy source/common/http/header_map_impl.cc; what a running Envoy did with every call.

import { type ByteString, encodeText, lowerCase } from "../encoding/bytes.ts";
import { connectionHeaders, internalHeaders } from "./proxy-headers.ts";

/** Which message part a map belongs to: it decides which headers Envoy joins instead of repeating. */
export type HeaderMapKind = "request" | "response" | "request trailers" | "response trailers";

const words = (text: string): string[] => text.trim().split(/\s+/);

// Headers that Envoy keeps in a slot of their own ("inline"): a second value is joined to the first with a comma. What is
// here was joined by a running Envoy 1.40, and what is not was not.
const either = words(`
  connection content-encoding content-length content-type keep-alive proxy-connection proxy-status transfer-encoding
  upgrade via x-envoy-attempt-count x-envoy-decorator-operation x-request-id cache-control`);
const joined: Record<HeaderMapKind, ReadonlySet<string>> = {
  request: new Set([
    ...either,
    ...words(`
      :authority :method :path :protocol :scheme accept accept-encoding access-control-request-headers
      access-control-request-method authorization cdn-loop expect grpc-accept-encoding grpc-timeout if-match
      if-modified-since if-none-match if-range if-unmodified-since origin pragma referer te user-agent x-client-trace-id
      x-envoy-downstream-service-cluster x-envoy-downstream-service-node x-envoy-expected-rq-timeout-ms
      x-envoy-external-address x-envoy-force-trace x-envoy-hedge-on-per-try-timeout x-envoy-internal x-envoy-ip-tags
      x-envoy-is-timeout-retry x-envoy-max-retries x-envoy-original-host x-envoy-original-path x-envoy-original-url
      x-envoy-retriable-header-names x-envoy-retriable-status-codes x-envoy-retry-grpc-on x-envoy-retry-on
      x-envoy-upstream-alt-stat-name x-envoy-upstream-rq-per-try-timeout-ms x-envoy-upstream-rq-timeout-alt-response
      x-envoy-upstream-rq-timeout-ms x-envoy-upstream-stream-duration-ms x-forwarded-client-cert x-forwarded-for
      x-forwarded-host x-forwarded-port x-forwarded-proto`),
  ]),
  response: new Set([
    ...either,
    ...words(`
      :status access-control-allow-credentials access-control-allow-headers access-control-allow-methods
      access-control-allow-origin access-control-expose-headers access-control-max-age age date etag expires
      grpc-message grpc-status last-modified location server vary x-envoy-degraded x-envoy-immediate-health-check-fail
      x-envoy-ratelimited x-envoy-upstream-canary x-envoy-upstream-healthchecked-cluster
      x-envoy-upstream-service-time`),
  ]),
  "request trailers": new Set(),
  "response trailers": new Set(["grpc-message", "grpc-status"]),
};

const kinds = ["request", "response", "request trailers", "response trailers"] as const;

/** What is known of a name. */
interface Name {
  /** In lower case. */
  readonly key: ByteString;
  readonly isPseudo: boolean;
  /** Whether HTTP allows it. */
  readonly isToken: boolean;
  /** Where a second value is joined to the first: a bit for each of the `kinds`. */
  readonly joinedIn: number;
  /** Whether it means the proxy, or a connection of it, and not the message. */
  readonly isProxys: boolean;
  /** One of 32 bits, which a map has when it may have the name. */
  readonly bit: number;
  /** A value of it that was printable ASCII. */
  lastPlain: string;
}

/** Names as they were given. Nearly all are the same in every message; there are bounds for those who send others. */
const knownNames = new Map<ByteString, Name>();
const [MOST_NAMES, LONGEST_NAME, LONGEST_VALUE] = [1000, 64, 256];

/** Whether HTTP allows a name. */
export function isHeaderName(name: ByteString): boolean {
  return nameOf(name).isToken;
}

const control = /[\0-\x08\n-\x1f\x7f]/;

/** Whether HTTP allows a value: no control characters but tabs. */
export function isHeaderValue(value: ByteString): boolean {
  return !control.test(value);
}

function nameOf(name: ByteString): Name {
  let known = knownNames.get(name);
  if (known) return known;
  const key = lowerCase(name);
  known = {
    key,
    isPseudo: isPseudoKey(key),
    isToken: /^:?[!#$%&'*+\-.^_`|~0-9a-z]*$/.test(key),
    joinedIn: kinds.reduce((bits, kind, i) => (joined[kind].has(key) ? bits | (1 << i) : bits), 0),
    isProxys: connectionHeaders.has(key) || internalHeaders.has(key),
    bit: bitOf(key),
    lastPlain: "",
  };
  if (knownNames.size < MOST_NAMES && name.length <= LONGEST_NAME) knownNames.set(name, known);
  return known;
}

/** What is known of a name that is given as text. One that HTTP allows is ASCII: the same as text and as bytes. */
function nameOfText(text: string): Name {
  const known = knownNames.get(text);
  return known?.isToken ? known : nameOf(encodeText(text));
}

function isPseudoKey(key: ByteString): boolean {
  return key.charCodeAt(0) === 0x3a;
}

/** A bit that says of most names that they are others: a lookup of what a map does not have is over at once. */
function bitOf(key: ByteString): number {
  const { length } = key;
  return 1 << ((length + 5 * key.charCodeAt(1) + 11 * key.charCodeAt(length - 1)) & 31);
}

const plainValue = /^[\t\x20-\x7e]*$/;

/** Whether a value of this name is printable ASCII. What was so is remembered: most values come again. */
function isPlainValue(known: Name, value: string): boolean {
  if (value === known.lastPlain) return true;
  if (!plainValue.test(value)) return false;
  if (value.length <= LONGEST_VALUE) known.lastPlain = value;
  return true;
}

/** One header. */
export type HeaderEntry = readonly [name: ByteString, value: ByteString];

/** The map of these entries as they are: nothing is joined. */
export function unjoined(kind: HeaderMapKind, entries: Iterable<HeaderEntry>): HeaderMap {
  const map = new HeaderMap(kind);
  for (const [name, value] of entries) map.append(name, value);
  return map;
}

/**
 * A multi-valued header map of ByteStrings. Names to be written may have any case; what is read is named by its key: in
 * lower case, or what `key` makes of a name.
 */
export class HeaderMap {
  readonly kind: HeaderMapKind;
  #entries: HeaderEntry[] = [];
  #isPlain = true;
  #mayTellProxy = false;
  /** The bits of all names that it has or has had. */
  #bits = 0;
  readonly #kindBit: number;

  constructor(kind: HeaderMapKind, entries?: Iterable<HeaderEntry>) {
    this.kind = kind;
    this.#kindBit = 1 << kinds.indexOf(kind);
    if (entries) for (const [name, value] of entries) this.add(name, value);
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.length;
  }

  /** The bytes of all names and values. */
  get byteSize(): number {
    let bytes = 0;
    for (const [name, value] of this.#entries) bytes += name.length + value.length;
    return bytes;
  }

  /** Whether every name is one that HTTP allows, none is empty, and every value is printable ASCII. False may be too cautious. */
  get isPlain(): boolean {
    return this.#isPlain;
  }

  /** Whether a name means the proxy, and not the message. False is certain; true may speak of one that is gone. */
  get mayTellProxy(): boolean {
    return this.#mayTellProxy;
  }

  /** The entries, in order. */
  get entries(): readonly HeaderEntry[] {
    return this.#entries;
  }

  /** The key of a name. */
  key(name: ByteString): ByteString {
    return this.#name(name).key;
  }

  /** The first value of this key, or undefined. */
  get(key: ByteString): ByteString | undefined {
    const at = this.#find(key);
    return at < 0 ? undefined : this.#entries[at]![1];
  }

  /** Every value of this key, in order. */
  getAll(key: ByteString): ByteString[] {
    return this.#entries.filter((entry) => entry[0] === key).map((entry) => entry[1]);
  }

  /** Adds a value; those that Envoy keeps once are joined with a comma, in place. */
  add(name: ByteString, value: ByteString): void {
    const known = this.#name(name);
    this.#add(known, value, isPlainValue(known, value));
  }

  /** The same with what is given as text, which is sent as UTF-8, or whose value is given as bytes. */
  addText(name: string, value: string | Uint8Array): void {
    const known = this.#known(nameOfText(name));
    const isPlain = typeof value === "string" && isPlainValue(known, value);
    this.#add(known, isPlain ? value : encodeText(value), isPlain);
  }

  #add(known: Name, value: ByteString, isPlain: boolean): void {
    const at = known.joinedIn & this.#kindBit ? this.#find(known.key) : -1;
    if (at < 0) return this.#append(known, value, isPlain);
    const before = this.#entries[at]![1];
    if (value) this.#replace(at, before ? `${before},${value}` : value, isPlain);
  }

  /** Removes every value of this name and adds one at the end; a pseudo header stays in front. */
  set(name: ByteString, value: ByteString): void {
    const known = this.#name(name);
    this.#delete(known.key);
    this.#append(known, value, isPlainValue(known, value));
  }

  /** Puts a value in the place of the first of this name, or adds it at the end. */
  put(name: ByteString, value: ByteString): void {
    const known = this.#name(name);
    const at = this.#find(known.key);
    const isPlain = isPlainValue(known, value);
    if (at < 0) this.#append(known, value, isPlain);
    else this.#replace(at, value, isPlain);
  }

  /** Removes every value of this name. */
  delete(name: ByteString): void {
    this.#delete(this.#name(name).key);
  }

  /** Removes every value of these keys. */
  deleteAll(keys: Iterable<ByteString>): void {
    for (const key of keys) this.#delete(key);
  }

  /** Puts these entries in place of all there are. */
  replaceAll(entries: Iterable<HeaderEntry>): void {
    this.#entries = [];
    this.#isPlain = true;
    this.#mayTellProxy = false;
    this.#bits = 0;
    for (const [name, value] of entries) this.add(name, value);
  }

  /** Adds an entry, whatever there is: nothing is joined. */
  append(name: ByteString, value: ByteString): void {
    const known = nameOf(name);
    this.#append(known, value, isPlainValue(known, value));
  }

  /** Adds an entry that is given as text, which is sent as UTF-8, or whose value is given as bytes. */
  appendText(name: string, value: string | Uint8Array): void {
    const known = nameOfText(name);
    const isPlain = typeof value === "string" && isPlainValue(known, value);
    this.#append(known, isPlain ? value : encodeText(value), isPlain);
  }

  #append({ key, isPseudo, isToken, isProxys, bit }: Name, value: ByteString, isPlain: boolean): void {
    if (!isToken || !isPlain || !key) this.#isPlain = false;
    if (isProxys) this.#mayTellProxy = true;
    this.#bits |= bit;
    let at = this.#entries.length;
    if (isPseudo) while (at > 0 && !isPseudoKey(this.#entries[at - 1]![0])) at--;
    if (at === this.#entries.length) this.#entries.push([key, value]);
    else this.#entries.splice(at, 0, [key, value]);
  }

  /** A map of its own with the same entries. */
  clone(): HeaderMap {
    return this.#with(this.#entries.slice());
  }

  /** The same without pseudo headers. */
  withoutPseudo(): HeaderMap {
    const first = this.#entries.findIndex((entry) => !isPseudoKey(entry[0]));
    return this.#with(first < 0 ? [] : this.#entries.slice(first));
  }

  #with(entries: HeaderEntry[]): HeaderMap {
    const map = new HeaderMap(this.kind);
    map.#entries = entries;
    map.#isPlain = this.#isPlain;
    map.#mayTellProxy = this.#mayTellProxy;
    map.#bits = this.#bits;
    return map;
  }

  #find(key: ByteString): number {
    if (!(this.#bits & bitOf(key))) return -1;
    const entries = this.#entries;
    for (let at = 0; at < entries.length; at++) if (entries[at]![0] === key) return at;
    return -1;
  }

  #delete(key: ByteString): void {
    if (this.#find(key) >= 0) this.#entries = this.#entries.filter((entry) => entry[0] !== key);
  }

  #replace(at: number, value: ByteString, isPlain: boolean): void {
    if (!isPlain) this.#isPlain = false;
    this.#entries[at] = [this.#entries[at]![0], value];
  }

  #name(name: ByteString): Name {
    return this.#known(nameOf(name));
  }

  /** In Envoy, HTTP/1's `host` is HTTP/2's `:authority`. */
  #known(known: Name): Name {
    return known.key === "host" && this.kind === "request" ? nameOf(":authority") : known;
  }
}
