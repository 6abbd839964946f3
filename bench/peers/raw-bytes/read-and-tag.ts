import { proxy_get_header_map_value, proxy_replace_header_map_value } from "./env";
import { append, begin, found, malloc } from "./host";

export { malloc, proxy_abi_version_0_2_1 } from "./host";

const path: usize = memory.data<u8>([0x3a, 0x70, 0x61, 0x74, 0x68]);
const authority: usize = memory.data<u8>([0x3a, 0x61, 0x75, 0x74, 0x68, 0x6f, 0x72, 0x69, 0x74, 0x79]);
const agent: usize = memory.data<u8>([0x75, 0x73, 0x65, 0x72, 0x2d, 0x61, 0x67, 0x65, 0x6e, 0x74]);
const seen: usize = memory.data<u8>([0x78, 0x2d, 0x73, 0x65, 0x65, 0x6e]);
const name: usize = memory.data<u8>([
  0x78, 0x2d, 0x73, 0x65, 0x72, 0x76, 0x69, 0x63, 0x65, 0x2d, 0x6e, 0x61, 0x6d, 0x65,
]);
const value: usize = memory.data<u8>([
  0x6d, 0x79, 0x2d, 0x63, 0x75, 0x73, 0x74, 0x6f, 0x6d, 0x2d, 0x73, 0x65, 0x72, 0x76, 0x69, 0x63, 0x65,
]);

export function proxy_on_request_headers(_id: u32, _count: u32, _end: u32): u32 {
  begin();
  if (proxy_get_header_map_value(0, path, 5, found, found + 4)) return 0;
  const pathAt = load<usize>(found);
  const pathSize = load<usize>(found, 4);
  if (proxy_get_header_map_value(0, authority, 10, found, found + 4)) return 0;
  const authorityAt = load<usize>(found);
  const authoritySize = load<usize>(found, 4);
  if (proxy_get_header_map_value(0, agent, 10, found, found + 4)) return 0;
  const joined = malloc(0);
  append(authorityAt, authoritySize);
  append(pathAt, pathSize);
  proxy_replace_header_map_value(0, seen, 6, joined, authoritySize + pathSize);
  return 0;
}

export function proxy_on_response_headers(_id: u32, _count: u32, _end: u32): u32 {
  proxy_replace_header_map_value(2, name, 14, value, 17);
  return 0;
}
