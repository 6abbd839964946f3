// The header maps of the proxy: what a filter reads and changes while a message passes.

import { MapType, Status } from "./abi";
import {
  proxy_add_header_map_value,
  proxy_get_header_map_pairs,
  proxy_get_header_map_size,
  proxy_get_header_map_value,
  proxy_remove_header_map_value,
  proxy_replace_header_map_value,
  proxy_set_header_map_pairs,
} from "./env";
import { isField } from "./field";
import { Header, Headers } from "./headers";
import { answerBytes, answerData, answerSize, answerText, beginCall, write, written } from "./memory";
import { checked, DONE, FOUND_OR_NOT } from "./status";
import { ABI } from "./version";

/**
 * A header map that lives in the proxy. Every call asks or changes the proxy at once. A map is there only during its
 * own callback and while the stream is held there (Envoy); outside of that reads give `null` or nothing, and changes
 * answer `BadArgument`; the log says so once. Use it at once rather than keep it: it belongs to the stream whose map was
 * asked for last. Names are compared without regard to case; the proxy gives them in lower case.
 * Source: proxy-wasm/spec v0.2.1, "HTTP fields"; availability: Envoy `source/extensions/common/wasm/context.cc`.
 */
@unmanaged
export class HeaderMap {
  // There is no object behind it: the reference itself is the number of the map plus one (`null` is 0), so that a
  // header map costs neither memory nor time. `@unmanaged` keeps the garbage collector away from it.

  /** The map of this type. */
  static of(type: MapType): HeaderMap {
    return changetype<HeaderMap>((type as usize) + 1);
  }

  /** The ABI's number of this map. */
  get type(): MapType {
    return (changetype<usize>(this) - 1) as MapType;
  }

  /** The first value of this name as text; `null` when there is none, `""` when it is empty. */
  get(name: string): string | null {
    return this.find(changetype<usize>(name)) ? answerText() : null;
  }

  /** The first value of this name as bytes; `null` when there is none, no bytes when it is empty. */
  getBytes(name: string): Uint8Array | null {
    return this.find(changetype<usize>(name)) ? answerBytes() : null;
  }

  /** Every value of this name as text, in order; none when there is none. */
  getAll(name: string): string[] {
    return this.copy().getAll(name);
  }

  /** Every value of this name as bytes, in order; none when there is none. */
  getAllBytes(name: string): Uint8Array[] {
    return this.copy().getAllBytes(name);
  }

  /** Whether there is a value of this name, if only an empty one. */
  has(name: string): bool {
    return this.find(changetype<usize>(name));
  }

  /**
   * Puts this value in place of every value of this name. `BadArgument`, and a line in the log, when name or value
   * hold a NUL, CR or LF, which would split the message, and when the map cannot be changed now.
   */
  set(name: string, value: string): Status {
    beginCall();
    const key = write(changetype<usize>(name));
    const keySize = written;
    const data = write(changetype<usize>(value));
    return replace(this.type, key, keySize, data, written);
  }

  /** As `set`, with the value's bytes. */
  setBytes(name: string, value: Uint8Array): Status {
    beginCall();
    const key = write(changetype<usize>(name));
    return replace(this.type, key, written, value.dataStart, value.byteLength);
  }

  /**
   * Adds a value, whether or not the name is there; `BadArgument` as in `set`. Envoy joins the values of some
   * well-known names with a comma (`accept`, `via`, `content-type`, …) instead of keeping two entries.
   */
  append(name: string, value: string): Status {
    beginCall();
    const key = write(changetype<usize>(name));
    const keySize = written;
    const data = write(changetype<usize>(value));
    return add(this.type, key, keySize, data, written);
  }

  /** As `append`, with the value's bytes. */
  appendBytes(name: string, value: Uint8Array): Status {
    beginCall();
    const key = write(changetype<usize>(name));
    return add(this.type, key, written, value.dataStart, value.byteLength);
  }

  /** Removes every value of this name; `Ok` also when there is none. */
  delete(name: string): Status {
    beginCall();
    const key = write(changetype<usize>(name));
    const status = proxy_remove_header_map_value(this.type, key, written);
    return checked(changetype<usize>("proxy_remove_header_map_value"), status, DONE, memory.data(4));
  }

  /**
   * The bytes of all names and values together; 0 when the map is empty or not there. ngx_wasm_module has no such call
   * and refuses a module that uses it. Source: proxy-wasm-cpp-host, `proxy_get_header_map_size`.
   */
  get byteSize(): u32 {
    beginCall();
    const status = proxy_get_header_map_size(this.type, answerData);
    checked(changetype<usize>("proxy_get_header_map_size"), status, DONE, memory.data(4));
    return load<u32>(answerData);
  }

  /** Every entry, in the proxy's order; none when the map is empty or not there. */
  entries(): Header[] {
    return this.copy().entries();
  }

  /** A list of its own with every entry; empty when the map is empty or not there. */
  copy(): Headers {
    beginCall();
    const status = proxy_get_header_map_pairs(this.type, answerData, answerSize);
    checked(changetype<usize>("proxy_get_header_map_pairs"), status, FOUND_OR_NOT, memory.data(4));
    return status == Status.Ok ? Headers.decode(load<usize>(answerData), load<usize>(answerSize)) : new Headers();
  }

  /**
   * Puts these entries in place of all there are, pseudo headers included: a request without `:method`, `:path` and
   * `:authority` goes nowhere.
   */
  replaceAll(headers: Headers): Status {
    beginCall();
    const pairs = headers.encode();
    const status = proxy_set_header_map_pairs(this.type, pairs, written);
    return checked(changetype<usize>("proxy_set_header_map_pairs"), status, DONE, memory.data(4));
  }

  /**
   * Whether there is a value of the name at this address, which is the answer then. Not a string: a managed argument
   * costs the caller a place on the shadow stack.
   */
  private find(name: usize): bool {
    beginCall();
    const key = write(name);
    const status = proxy_get_header_map_value(this.type, key, written, answerData, answerSize);
    if (checked(changetype<usize>("proxy_get_header_map_value"), status, FOUND_OR_NOT, memory.data(4)) != Status.Ok)
      return false;
    // ABI 0.1.0 answers an empty value where there is none.
    if (ABI >= 20 || load<usize>(answerSize)) return true;
    const there = this.copy().has(changetype<string>(name));
    beginCall();
    return there;
  }
}

function replace(type: MapType, key: usize, keySize: usize, value: usize, valueSize: usize): Status {
  if (!isField(key, keySize) || !isField(value, valueSize)) return Status.BadArgument;
  const status = proxy_replace_header_map_value(type, key, keySize, value, valueSize);
  return checked(changetype<usize>("proxy_replace_header_map_value"), status, DONE, memory.data(4));
}

function add(type: MapType, key: usize, keySize: usize, value: usize, valueSize: usize): Status {
  if (!isField(key, keySize) || !isField(value, valueSize)) return Status.BadArgument;
  const status = proxy_add_header_map_value(type, key, keySize, value, valueSize);
  return checked(changetype<usize>("proxy_add_header_map_value"), status, DONE, memory.data(4));
}
