import { setHeader } from "./host";

export { malloc, proxy_abi_version_0_2_1 } from "./host";

export function proxy_on_response_headers(_id: u32, _count: u32, _end: u32): u32 {
  setHeader(2, "x-service-name", "my-custom-service");
  return 0;
}
