import { getHeader, log, reply } from "./host";

export { malloc, proxy_abi_version_0_2_1 } from "./host";

export function proxy_on_request_headers(_id: u32, _count: u32, _end: u32): u32 {
  const host = getHeader(0, ":authority");
  const path = getHeader(0, ":path");
  log(2, "host " + (host ? host : "-") + " path " + (path ? path : "-"));
  reply(200, "Hello from Wasm!\n", "x-service-name", "my-custom-service");
  return 1;
}
