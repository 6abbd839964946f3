// The response in the web's words, and what else the proxy knows of it.
// Source: Envoy "Attributes"; when: a running Envoy 1.40.

import { MapType } from "./abi";
import { ContentType, contentTypeOf } from "./content-type";
import { askHeader, isKnown, wordEnd, wordStart, wordText } from "./head";
import { HeaderMap } from "./header-map";
import { knownI64, knownNanoseconds, knownText } from "./properties";

/**
 * The response of a stream. Every word asks the proxy when it is used. Headers can be read in `onResponseHeaders`, while
 * the response is held there, and in `onLog` (Envoy); the properties from the response's headers on, also in body
 * callbacks.
 */
@unmanaged
export class Response {
  // No object: the reference is the number of the header map plus one; see HeaderMap.

  /** The response whose headers stand in this map. @internal */
  static of(headers: HeaderMap): Response {
    return changetype<Response>(headers);
  }

  private get map(): MapType {
    return changetype<HeaderMap>(changetype<usize>(this)).type;
  }

  /** The status code; -1 before there is one. The header `:status`, else the property `response.code`. */
  get status(): i32 {
    if (askHeader(this.map, changetype<usize>(":status"), changetype<usize>("response\0headers\0"))) {
      let code = 0;
      for (let at = wordStart(); at < wordEnd(); at++) code = code * 10 + (load<u8>(at) as i32) - 0x30;
      return code;
    }
    return this.integer(changetype<usize>("response\0code")) as i32;
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

  /** What the body is; `null` when the header is not there or no media type. */
  get contentType(): ContentType | null {
    if (!this.askHeader(changetype<usize>("content-type"))) return null;
    return contentTypeOf(wordStart(), wordEnd());
  }

  /** Why the response is what it is: `via_upstream`, or what a filter or the proxy gave with its own (Envoy). */
  get codeDetails(): string | null {
    return this.text(changetype<usize>("response\0code_details"));
  }

  /** Bits that say what went wrong, as in Envoy's access log: 0x20 no connection to the upstream, 0x100 no route, …. */
  get flags(): i64 {
    return this.integer(changetype<usize>("response\0flags"));
  }

  /** The status of gRPC; from the status code (200 gives 2, Unknown) while the message does not carry one (Envoy). */
  get grpcStatus(): i64 {
    return this.integer(changetype<usize>("response\0grpc_status"));
  }

  /** The bytes of its body that have gone to the client. Also ngx_wasm_module. */
  get size(): i64 {
    return this.integer(changetype<usize>("response\0size"));
  }

  /** As `size`, and the headers and trailers that can be read now. Also ngx_wasm_module. */
  get totalSize(): i64 {
    return this.integer(changetype<usize>("response\0total_size"));
  }

  /** Nanoseconds from sending the request's head to the upstream's last byte; -1 before it (Envoy). */
  get backendLatency(): i64 {
    return this.nanoseconds(changetype<usize>("response\0backend_latency"));
  }

  private askHeader(name: usize): bool {
    return askHeader(this.map, name, changetype<usize>("response\0headers\0"));
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

/** The response of the stream whose callback is running: for functions outside of a context, which has `this.response`. */
export const response: Response = changetype<Response>((MapType.HttpResponseHeaders as usize) + 1);
