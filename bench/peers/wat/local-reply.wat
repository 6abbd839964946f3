;; The least that logs host and path and answers the request: answers lie one behind the other from 1024 on, and each
;; callback begins anew there.
(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) ":path:authorityhost  path -Hello from Wasm!\n")
  ;; One pair: a count, the sizes of name and value, and both with a NUL.
  (data (i32.const 64) "\01\00\00\00\0e\00\00\00\11\00\00\00x-service-name\00my-custom-service\00")
  (global $top (mut i32) (i32.const 1024))
  (func (export "proxy_abi_version_0_2_1"))
  (func $malloc (export "malloc") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.add (global.get $top) (local.get $size)))
    (local.get $at))
  ;; The header of this name at $found and its size behind that, or a "-".
  (func $read (param $name i32) (param $size i32) (param $found i32)
    (if
      (i32.or
        (call $get
          (i32.const 0)
          (local.get $name)
          (local.get $size)
          (local.get $found)
          (i32.add (local.get $found) (i32.const 4)))
        (i32.eqz (i32.load offset=4 (local.get $found))))
      (then
        (i32.store (local.get $found) (i32.const 26))
        (i32.store offset=4 (local.get $found) (i32.const 1)))))
  (func $append (param $from i32) (param $size i32)
    (memory.copy (call $malloc (local.get $size)) (local.get $from) (local.get $size)))
  ;; 128 and 136 hold address and size of :authority and :path.
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (local $line i32)
    (global.set $top (i32.const 1024))
    (call $read (i32.const 5) (i32.const 10) (i32.const 128))
    (call $read (i32.const 0) (i32.const 5) (i32.const 136))
    (local.set $line (global.get $top))
    (call $append (i32.const 15) (i32.const 5))
    (call $append (i32.load (i32.const 128)) (i32.load (i32.const 132)))
    (call $append (i32.const 20) (i32.const 6))
    (call $append (i32.load (i32.const 136)) (i32.load (i32.const 140)))
    (drop (call $log (i32.const 2) (local.get $line) (i32.sub (global.get $top) (local.get $line))))
    (drop
      (call $send
        (i32.const 200)
        (i32.const 0)
        (i32.const 0)
        (i32.const 27)
        (i32.const 17)
        (i32.const 64)
        (i32.const 45)
        (i32.const -1)))
    (i32.const 1)))
