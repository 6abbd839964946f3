import { getHeader, setHeader } from "./host";

export { malloc, proxy_abi_version_0_2_1 } from "./host";

export function proxy_on_request_headers(_id: u32, _count: u32, _end: u32): u32 {
  const path = getHeader(0, ":path");
  const authority = getHeader(0, ":authority");
  const agent = getHeader(0, "user-agent");
  if (path === null || authority === null || agent === null) return 0;
  setHeader(0, "x-seen", authority + path);
  return 0;
}

export function proxy_on_response_headers(_id: u32, _count: u32, _end: u32): u32 {
  setHeader(2, "x-service-name", "my-custom-service");
  return 0;
}
