;; The filter in WebAssembly's own text, with ABI 0.1.0: no bound of a header's size but the memory's.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $replace_header (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) ":pathx-languagewat")
  ;; What the host gives follows "path ", so that both are one line.
  (data (i32.const 1019) "path ")
  (func (export "proxy_abi_version_0_1_0"))
  (func (export "malloc") (param i32) (result i32)
    (i32.const 1024))
  (func (export "proxy_on_request_headers") (param i32 i32) (result i32)
    (drop (call $get_header (i32.const 0) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 4)))
    (drop (call $log (i32.const 2) (i32.const 1019) (i32.add (i32.const 5) (i32.load (i32.const 4)))))
    (if (i32.eq (i32.load (i32.const 1024)) (i32.const 0x6172742f)) ;; "/tra"
      (then (unreachable)))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32) (result i32)
    (drop (call $replace_header (i32.const 2) (i32.const 21) (i32.const 10) (i32.const 31) (i32.const 3)))
    (i32.const 0)))
