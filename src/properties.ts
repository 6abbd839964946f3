// Properties of the request and the response. Source: Envoy's "Attributes"; when they can be read, a running Envoy 1.40.

import { Status } from "../assembly/abi.ts";
import { type ByteString, bytesOf } from "./bytes.ts";
import { Refusal } from "./error.ts";
import type { HeaderMap } from "./header-map.ts";

/** What a property can be read from just now. */
export interface PropertySources {
  /** The request's headers while the filter has them. */
  readonly request: HeaderMap | undefined;
  /** The response's headers while the filter has them. */
  readonly response: HeaderMap | undefined;
  /** The running callback, for the explanation. */
  readonly phase: string;
}

const requestProperties: Record<string, (headers: HeaderMap) => ByteString | undefined> = {
  path: (headers) => headers.get(":path"),
  url_path: (headers) => headers.get(":path")?.replace(/[?#].*$/s, ""),
  query: (headers) => /\?([^#]*)/s.exec(headers.get(":path") ?? "")?.[1] ?? "",
  host: (headers) => headers.get(":authority"),
  scheme: (headers) => headers.get(":scheme"),
  method: (headers) => headers.get(":method"),
  id: (headers) => headers.get("x-request-id"),
  referer: (headers) => headers.get("referer"),
  useragent: (headers) => headers.get("user-agent"),
};

/** A property of the exchange; undefined when the path means something else. */
export function requestProperty(
  path: readonly ByteString[],
  sources: PropertySources,
): Uint8Array | Refusal | undefined {
  const [group, name, key] = path;
  if (group !== "request" && group !== "response") return undefined;
  const headers = sources[group];
  if (name === "headers" && key !== undefined && path.length === 3) {
    return found(path, headers?.getAll(key).join(",") || headers?.get(key), sources);
  }
  if (group === "request" && path.length === 2 && name !== undefined) {
    const read = Object.hasOwn(requestProperties, name) ? requestProperties[name] : undefined;
    if (read) return found(path, headers && read(headers), sources);
  }
  return undefined;
}

function found(
  path: readonly ByteString[],
  value: ByteString | undefined,
  sources: PropertySources,
): Uint8Array | Refusal {
  if (value !== undefined) return bytesOf(value);
  return new Refusal(
    Status.NotFound,
    `there is no ${path.join(".")} in ${sources.phase}: Envoy takes it from the headers, while the filter has them`,
  );
}
