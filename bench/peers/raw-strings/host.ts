// Host calls and memory without any SDK: values are strings of asc's library.

import * as env from "../raw-bytes/env";

const found: usize = memory.data(8, 4);

export function malloc(size: usize): usize {
  return heap.alloc(size);
}

export function proxy_abi_version_0_2_1(): void {}

export function getHeader(map: u32, name: string): string | null {
  const key = String.UTF8.encode(name);
  if (env.proxy_get_header_map_value(map, changetype<usize>(key), key.byteLength, found, found + 4)) return null;
  const at = load<usize>(found);
  const text = String.UTF8.decodeUnsafe(at, load<usize>(found, 4));
  heap.free(at);
  return text;
}

export function setHeader(map: u32, name: string, value: string): void {
  const key = String.UTF8.encode(name);
  const data = String.UTF8.encode(value);
  env.proxy_replace_header_map_value(
    map,
    changetype<usize>(key),
    key.byteLength,
    changetype<usize>(data),
    data.byteLength,
  );
}

export function log(level: u32, message: string): void {
  const text = String.UTF8.encode(message);
  env.proxy_log(level, changetype<usize>(text), text.byteLength);
}

/** Answers the request with one header. */
export function reply(status: u32, body: string, name: string, value: string): void {
  const text = String.UTF8.encode(body);
  const key = String.UTF8.encode(name, true);
  const data = String.UTF8.encode(value, true);
  const pairs = new ArrayBuffer(12 + key.byteLength + data.byteLength);
  const at = changetype<usize>(pairs);
  store<u32>(at, 1);
  store<u32>(at, key.byteLength - 1, 4);
  store<u32>(at, data.byteLength - 1, 8);
  memory.copy(at + 12, changetype<usize>(key), key.byteLength);
  memory.copy(at + 12 + key.byteLength, changetype<usize>(data), data.byteLength);
  env.proxy_send_local_response(status, 0, 0, changetype<usize>(text), text.byteLength, at, pairs.byteLength, -1);
}
