// The host calls of the proxy-wasm ABI, in the order of the specification. asc imports a `declare function` from the
// module named like its file, so these are `env.proxy_*`; one that nothing reaches is not imported.
// Source: proxy-wasm/spec, abi-versions/v0.2.1/README.md. Shapes: addresses and sizes are bytes of this module's memory;
// `return…` parameters are addresses the host writes to, only when it answers Ok. Every call answers a `Status`.

// Logging
export declare function proxy_log(level: u32, message: usize, messageSize: usize): u32;
export declare function proxy_get_log_level(returnLevel: usize): u32;

// Clocks and timers
export declare function proxy_get_current_time_nanoseconds(returnTime: usize): u32;
export declare function proxy_set_tick_period_milliseconds(period: u32): u32;

// Contexts
export declare function proxy_set_effective_context(context: u32): u32;
export declare function proxy_done(): u32;

// Buffers
export declare function proxy_get_buffer_bytes(
  buffer: u32,
  start: usize,
  maxSize: usize,
  returnData: usize,
  returnSize: usize,
): u32;
export declare function proxy_get_buffer_status(buffer: u32, returnSize: usize, returnFlags: usize): u32;
export declare function proxy_set_buffer_bytes(
  buffer: u32,
  start: usize,
  size: usize,
  value: usize,
  valueSize: usize,
): u32;

// Header maps
export declare function proxy_get_header_map_size(map: u32, returnSize: usize): u32;
export declare function proxy_get_header_map_pairs(map: u32, returnData: usize, returnSize: usize): u32;
export declare function proxy_set_header_map_pairs(map: u32, pairs: usize, pairsSize: usize): u32;
export declare function proxy_get_header_map_value(
  map: u32,
  key: usize,
  keySize: usize,
  returnValue: usize,
  returnValueSize: usize,
): u32;
export declare function proxy_add_header_map_value(
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
export declare function proxy_remove_header_map_value(map: u32, key: usize, keySize: usize): u32;

// Properties
export declare function proxy_get_property(
  path: usize,
  pathSize: usize,
  returnValue: usize,
  returnValueSize: usize,
): u32;
export declare function proxy_set_property(path: usize, pathSize: usize, value: usize, valueSize: usize): u32;

// Streams
export declare function proxy_continue_stream(stream: u32): u32;
export declare function proxy_close_stream(stream: u32): u32;
export declare function proxy_send_local_response(
  statusCode: u32,
  details: usize,
  detailsSize: usize,
  body: usize,
  bodySize: usize,
  headers: usize,
  headersSize: usize,
  grpcStatus: i32,
): u32;
export declare function proxy_get_status(returnCode: usize, returnMessage: usize, returnMessageSize: usize): u32;

// HTTP callouts
export declare function proxy_http_call(
  upstream: usize,
  upstreamSize: usize,
  headers: usize,
  headersSize: usize,
  body: usize,
  bodySize: usize,
  trailers: usize,
  trailersSize: usize,
  timeout: u32,
  returnCall: usize,
): u32;

// gRPC callouts
export declare function proxy_grpc_call(
  upstream: usize,
  upstreamSize: usize,
  service: usize,
  serviceSize: usize,
  method: usize,
  methodSize: usize,
  metadata: usize,
  metadataSize: usize,
  message: usize,
  messageSize: usize,
  timeout: u32,
  returnCall: usize,
): u32;
export declare function proxy_grpc_stream(
  upstream: usize,
  upstreamSize: usize,
  service: usize,
  serviceSize: usize,
  method: usize,
  methodSize: usize,
  metadata: usize,
  metadataSize: usize,
  returnStream: usize,
): u32;
export declare function proxy_grpc_send(call: u32, message: usize, messageSize: usize, endOfStream: u32): u32;
export declare function proxy_grpc_cancel(call: u32): u32;
export declare function proxy_grpc_close(call: u32): u32;

// Shared data
export declare function proxy_get_shared_data(
  key: usize,
  keySize: usize,
  returnValue: usize,
  returnValueSize: usize,
  returnCas: usize,
): u32;
export declare function proxy_set_shared_data(
  key: usize,
  keySize: usize,
  value: usize,
  valueSize: usize,
  cas: u32,
): u32;

// Shared queues
export declare function proxy_register_shared_queue(name: usize, nameSize: usize, returnQueue: usize): u32;
export declare function proxy_resolve_shared_queue(
  vm: usize,
  vmSize: usize,
  name: usize,
  nameSize: usize,
  returnQueue: usize,
): u32;
export declare function proxy_enqueue_shared_queue(queue: u32, value: usize, valueSize: usize): u32;
export declare function proxy_dequeue_shared_queue(queue: u32, returnValue: usize, returnValueSize: usize): u32;

// Metrics
export declare function proxy_define_metric(type: u32, name: usize, nameSize: usize, returnMetric: usize): u32;
export declare function proxy_increment_metric(metric: u32, offset: i64): u32;
export declare function proxy_record_metric(metric: u32, value: u64): u32;
export declare function proxy_get_metric(metric: u32, returnValue: usize): u32;

// Foreign functions
export declare function proxy_call_foreign_function(
  name: usize,
  nameSize: usize,
  argument: usize,
  argumentSize: usize,
  returnResult: usize,
  returnResultSize: usize,
): u32;

// Envoy only
export declare function envoy_resolve_dns(name: usize, nameSize: usize, returnToken: usize): u32;

// ABI 0.1.0 only
export declare function proxy_get_configuration(returnData: usize, returnSize: usize): u32;
export declare function proxy_continue_request(): u32;
export declare function proxy_continue_response(): u32;
export declare function proxy_clear_route_cache(): u32;
