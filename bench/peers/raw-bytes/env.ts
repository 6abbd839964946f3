// Host calls. asc imports them from a module that is called as this file is.

export declare function proxy_log(level: u32, text: usize, size: usize): u32;
export declare function proxy_get_header_map_value(
  map: u32,
  key: usize,
  keySize: usize,
  value: usize,
  valueSize: usize,
): u32;
export declare function proxy_replace_header_map_value(
  map: u32,
  key: usize,
  keySize: usize,
  value: usize,
  valueSize: usize,
): u32;
export declare function proxy_send_local_response(
  status: u32,
  details: usize,
  detailsSize: usize,
  body: usize,
  bodySize: usize,
  headers: usize,
  headersSize: usize,
  grpcStatus: i32,
): u32;
