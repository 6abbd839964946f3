;; The least that reads three headers, joins two of them, and adds one to the request and one to the response: answers
;; lie one behind the other from 1024 on, and each callback begins anew there.
(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "x-service-namemy-custom-service:path:authorityuser-agentx-seen")
  (global $top (mut i32) (i32.const 1024))
  (func (export "proxy_abi_version_0_2_1"))
  (func $malloc (export "malloc") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.add (global.get $top) (local.get $size)))
    (local.get $at))
  ;; 128, 136 and 144 hold address and size of :path, :authority and user-agent.
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (local $joined i32)
    (global.set $top (i32.const 1024))
    (if (call $get (i32.const 0) (i32.const 31) (i32.const 5) (i32.const 128) (i32.const 132)) (then (return (i32.const 0))))
    (if (call $get (i32.const 0) (i32.const 36) (i32.const 10) (i32.const 136) (i32.const 140)) (then (return (i32.const 0))))
    (if (call $get (i32.const 0) (i32.const 46) (i32.const 10) (i32.const 144) (i32.const 148)) (then (return (i32.const 0))))
    (local.set $joined (call $malloc (i32.add (i32.load (i32.const 132)) (i32.load (i32.const 140)))))
    (memory.copy (local.get $joined) (i32.load (i32.const 136)) (i32.load (i32.const 140)))
    (memory.copy
      (i32.add (local.get $joined) (i32.load (i32.const 140)))
      (i32.load (i32.const 128))
      (i32.load (i32.const 132)))
    (drop
      (call $replace
        (i32.const 0)
        (i32.const 56)
        (i32.const 6)
        (local.get $joined)
        (i32.add (i32.load (i32.const 132)) (i32.load (i32.const 140)))))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $replace (i32.const 2) (i32.const 0) (i32.const 14) (i32.const 14) (i32.const 17)))
    (i32.const 0)))
