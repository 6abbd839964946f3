// The request in the web's words, and what else the proxy knows of it.
// Source: WHATWG URL and Fetch for the words; Envoy "Attributes" for the properties; when: a running Envoy 1.40.

import { MapType } from "./abi";
import { ContentType, contentTypeOf } from "./content-type";
import { addCookies } from "./cookies";
import { addForwarded } from "./forwarded";
import { askHeader, askWord, isKnown, wordEnd, wordStart, wordText } from "./head";
import { HeaderMap } from "./header-map";
import { Headers } from "./headers";
import { Parameters } from "./parameters";
import { knownI64, knownNanoseconds, knownText } from "./properties";
import { pathEnd, parametersOf, queryEnd, queryStart } from "./query";
import { decode } from "./utf8";

/**
 * The request of a stream. Every word asks the proxy when it is used: for the header while the proxy still has the
 * headers for this filter, else for the property of that name, else it is `null`.
 *
 * In Envoy the headers are there in `onRequestHeaders`, in every callback until the request goes on when it was held
 * there (a reply of the filter's own included), and in `onLog`. Once they have gone on, the properties have as well: in
 * `onRequestBody` and in response callbacks every word is `null`. What is needed then is kept: see `keep`.
 * ngx_wasm_module has the words in all its callbacks.
 */
@unmanaged
export class Request {
  // No object: the reference is the number of the header map plus one; see HeaderMap.

  /** The request whose headers stand in this map. @internal */
  static of(headers: HeaderMap): Request {
    return changetype<Request>(headers);
  }

  private get map(): MapType {
    return changetype<HeaderMap>(changetype<usize>(this)).type;
  }

  /** `GET`, `POST`, …: the header `:method`. */
  get method(): string | null {
    return this.word(changetype<usize>(":method"), changetype<usize>("request\0method"));
  }

  /** Path and query, such as `/search?q=a`: the header `:path`. */
  get path(): string | null {
    return this.word(changetype<usize>(":path"), changetype<usize>("request\0path"));
  }

  /** The path without query and fragment, as `pathname` of a `URL`: not decoded. */
  get pathname(): string | null {
    if (!this.askPath()) return null;
    return decode(wordStart(), pathEnd(wordStart(), wordEnd()) - wordStart());
  }

  /** The query without its `?`, not decoded; `""` when there is none, `null` when the path cannot be read. */
  get query(): string | null {
    if (!this.askPath()) return null;
    const start = queryStart(wordStart(), wordEnd());
    return decode(start, queryEnd(start, wordEnd()) - start);
  }

  /** The host, with the port if it was sent: the header `:authority`, or `host` in HTTP/1. */
  get host(): string | null {
    return this.word(changetype<usize>(":authority"), changetype<usize>("request\0host"));
  }

  /** `http` or `https`: the header `:scheme`. */
  get scheme(): string | null {
    return this.word(changetype<usize>(":scheme"), changetype<usize>("request\0scheme"));
  }

  /** The header `user-agent`. */
  get userAgent(): string | null {
    return this.word(changetype<usize>("user-agent"), changetype<usize>("request\0useragent"));
  }

  /** The header `referer`. */
  get referer(): string | null {
    return this.word(changetype<usize>("referer"), changetype<usize>("request\0referer"));
  }

  /** The id that the proxy gave the request: the header `x-request-id`. */
  get id(): string | null {
    return this.word(changetype<usize>("x-request-id"), changetype<usize>("request\0id"));
  }

  /** The first value of a header; from the property, all values joined with a comma. Any case will do for the name. */
  header(name: string): string | null {
    return this.askHeader(changetype<usize>(name)) ? wordText() : null;
  }

  /** Every value of a header, in order; none when there is none. From the property, one value, joined with a comma. */
  headerAll(name: string): string[] {
    const all = changetype<HeaderMap>(changetype<usize>(this)).copy().getAll(name);
    if (!all.length && this.askHeader(changetype<usize>(name))) all.push(wordText());
    return all;
  }

  /** The parameters of the query, decoded as `URLSearchParams` does it; none when there is no query. */
  get queryParameters(): Parameters {
    if (!this.askPath()) return new Parameters();
    const start = queryStart(wordStart(), wordEnd());
    return parametersOf(start, queryEnd(start, wordEnd()));
  }

  /** The first parameter of this name in the query, decoded; `null` when there is none. */
  queryParameter(name: string): string | null {
    return this.queryParameters.get(name);
  }

  /** The cookies, of all `cookie` headers in order; none when there are none. Values are as they were sent. */
  get cookies(): Parameters {
    const cookies = cookiesOf(changetype<HeaderMap>(changetype<usize>(this)).copy());
    if (!cookies.size && this.askHeader(changetype<usize>("cookie"))) addCookies(cookies, wordStart(), wordEnd());
    return cookies;
  }

  /** The first cookie of this name; `null` when there is none. */
  cookie(name: string): string | null {
    return this.cookies.get(name);
  }

  /** What the body is; `null` when the header is not there or no media type. */
  get contentType(): ContentType | null {
    if (!this.askHeader(changetype<usize>("content-type"))) return null;
    return contentTypeOf(wordStart(), wordEnd());
  }

  /**
   * The addresses in `x-forwarded-for`, the client's first; none without the header. Whoever sends a request can write
   * there what it likes: only what trusted proxies have added, at the end, is true. The last hop is `source.ip`, which
   * Envoy appends only with `use_remote_address`.
   */
  get forwardedFor(): string[] {
    const addresses = forwardedIn(changetype<HeaderMap>(changetype<usize>(this)).copy());
    const name = changetype<usize>("x-forwarded-for");
    if (!addresses.length && this.askHeader(name)) addForwarded(addresses, wordStart(), wordEnd());
    return addresses;
  }

  /**
   * Copies the headers, to be read when the proxy no longer gives them: in `onRequestHeaders`, into a field of the
   * filter's own. With `names` only these headers, and those in front (`:method`, `:path`, …).
   */
  keep(names: string[] | null = null): RequestHead {
    const all = changetype<HeaderMap>(changetype<usize>(this)).copy();
    if (names === null) return new RequestHead(all);
    const kept = new Headers();
    copyHeaders(all, kept, [":authority", ":path", ":method", ":scheme"]);
    copyHeaders(all, kept, names);
    return new RequestHead(kept);
  }

  // What follows comes from properties alone, and is there in every callback of the stream.

  /** `HTTP/1.0`, `HTTP/1.1`, `HTTP/2` or `HTTP/3`. */
  get protocol(): string | null {
    return this.text(changetype<usize>("request\0protocol"));
  }

  /** When it began, in nanoseconds since the Unix epoch; -1 when it is not said. */
  get time(): i64 {
    return this.nanoseconds(changetype<usize>("request\0time"));
  }

  /** Nanoseconds that the stream took; -1 until it is over: in `onLog` (Envoy). */
  get duration(): i64 {
    return this.nanoseconds(changetype<usize>("request\0duration"));
  }

  /** The bytes of its body: `content-length` while the headers are there, what came in so far otherwise (Envoy). */
  get size(): i64 {
    return this.integer(changetype<usize>("request\0size"));
  }

  /** The bytes of what came in so far of its body, and of the headers while they are there (Envoy). */
  get totalSize(): i64 {
    return this.integer(changetype<usize>("request\0total_size"));
  }

  private word(header: usize, property: usize): string | null {
    return askWord(this.map, header, property) ? wordText() : null;
  }

  private askPath(): bool {
    return askWord(this.map, changetype<usize>(":path"), changetype<usize>("request\0path"));
  }

  private askHeader(name: usize): bool {
    return askHeader(this.map, name, changetype<usize>("request\0headers\0"));
  }

  // Not those of another stream when the host does not know this one any more.
  private text(property: usize): string | null {
    return isKnown(this.map) ? knownText(property) : null;
  }

  private integer(property: usize): i64 {
    return isKnown(this.map) ? knownI64(property) : -1;
  }

  private nanoseconds(property: usize): i64 {
    return isKnown(this.map) ? knownNanoseconds(property) : -1;
  }
}

/** The headers of a request that a filter kept: the same words, in any callback, and the values of then. */
export class RequestHead {
  constructor(
    /** The headers that were kept, pseudo headers included. */
    readonly headers: Headers,
  ) {}

  /** As `Request.method`. */
  get method(): string | null {
    return this.headers.get(":method");
  }

  /** As `Request.path`. */
  get path(): string | null {
    return this.headers.get(":path");
  }

  /** As `Request.pathname`. */
  get pathname(): string | null {
    const path = this.headers.getBytes(":path");
    if (path === null) return null;
    const start = path.dataStart;
    return decode(start, pathEnd(start, start + path.byteLength) - start);
  }

  /** As `Request.query`. */
  get query(): string | null {
    const path = this.headers.getBytes(":path");
    if (path === null) return null;
    const end = path.dataStart + path.byteLength;
    const start = queryStart(path.dataStart, end);
    return decode(start, queryEnd(start, end) - start);
  }

  /** As `Request.host`. */
  get host(): string | null {
    return this.headers.get(":authority");
  }

  /** As `Request.scheme`. */
  get scheme(): string | null {
    return this.headers.get(":scheme");
  }

  /** As `Request.header`. */
  header(name: string): string | null {
    return this.headers.get(name);
  }

  /** As `Request.headerAll`. */
  headerAll(name: string): string[] {
    return this.headers.getAll(name);
  }

  /** As `Request.queryParameters`. */
  get queryParameters(): Parameters {
    const path = this.headers.getBytes(":path");
    if (path === null) return new Parameters();
    const end = path.dataStart + path.byteLength;
    const start = queryStart(path.dataStart, end);
    return parametersOf(start, queryEnd(start, end));
  }

  /** As `Request.queryParameter`. */
  queryParameter(name: string): string | null {
    return this.queryParameters.get(name);
  }

  /** As `Request.cookies`. */
  get cookies(): Parameters {
    return cookiesOf(this.headers);
  }

  /** As `Request.cookie`. */
  cookie(name: string): string | null {
    return this.cookies.get(name);
  }

  /** As `Request.contentType`. */
  get contentType(): ContentType | null {
    const value = this.headers.getBytes("content-type");
    return value === null ? null : contentTypeOf(value.dataStart, value.dataStart + value.byteLength);
  }

  /** As `Request.forwardedFor`. */
  get forwardedFor(): string[] {
    return forwardedIn(this.headers);
  }
}

/** The request of the stream whose callback is running: for functions outside of a context, which has `this.request`. */
export const request: Request = changetype<Request>((MapType.HttpRequestHeaders as usize) + 1);

function cookiesOf(headers: Headers): Parameters {
  const cookies = new Parameters();
  const values = headers.getAllBytes("cookie");
  for (let i = 0; i < values.length; i++) {
    const start = values[i].dataStart;
    addCookies(cookies, start, start + values[i].byteLength);
  }
  return cookies;
}

function forwardedIn(headers: Headers): string[] {
  const addresses: string[] = [];
  const values = headers.getAllBytes("x-forwarded-for");
  for (let i = 0; i < values.length; i++) {
    const start = values[i].dataStart;
    addForwarded(addresses, start, start + values[i].byteLength);
  }
  return addresses;
}

function copyHeaders(from: Headers, to: Headers, names: string[]): void {
  for (let i = 0; i < names.length; i++) {
    const values = from.getAllBytes(names[i]);
    for (let j = 0; j < values.length; j++) to.appendBytes(names[i], values[j]);
  }
}
