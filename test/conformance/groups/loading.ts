// Group 10: pointers, numbers, what is loaded and what is not, WASI.

import { type Call, data, get, inTurn, list, log, read, type Scenario, set, word } from "../scenario.ts";

const marker = '(func (export "proxy_abi_version_0_2_1"))';
const memory = '(memory (export "memory") 1)';
const malloc = '(func (export "malloc") (param i32) (result i32) (i32.const 64))';
/** A module of these parts. */
const module = (...parts: readonly string[]): string => `(module ${parts.join(" ")})`;
const importing = (from: string, name: string, type: string): string =>
  module(`(import "${from}" "${name}" (func ${type}))`, marker, memory, malloc);
/** A filter that is a module of its own. */
const plain = (name: string, text: string): Scenario => ({ name, module: text });

const END = 64 * 65536;
/** A call of WASI, its error number shown. */
const wasi = (name: string, type: string, args: string): Scenario => ({
  name: `WASI ${name} ${args.replace(/\(i\d\d\.const ([^)]*)\)/g, "$1")}`.trim(),
  parts: { imports: `(import "wasi_snapshot_preview1" "${name}" (func $${name} ${type}))` },
  on: { request_headers: [{ wat: `(call $number (i64.extend_i32_u (call $${name} ${args}))) (call $line)` }] },
});
const i32 = (count: number): string => `(param ${"i32 ".repeat(count)}) (result i32)`;
const c = (...values: readonly number[]): string => values.map((value) => `(i32.const ${value})`).join(" ");

export const loading: readonly Scenario[] = [
  {
    name: "pointers outside of memory",
    on: {
      request_headers: [
        ["get_header_map_value", 0, -1, 4, data],
        ["get_header_map_value", 0, END, 0, data],
        ["get_header_map_value", 0, -1, 0, data],
        ["get_header_map_value", 0, END - 2, 4, data],
        ["get_header_map_value", 0, ":path", -4, -4],
        ["get_header_map_value", 0, "x-none", -4, -4],
        ["get_header_map_value", 2, ":path", -4, -4],
        ["get_header_map_value", 9, -1, 4, -4, -4],
        ["get_header_map_pairs", 0, -4, -4],
        ["get_header_map_pairs", 1, -4, -4],
        ["add_header_map_value", 0, "x", -1, 4],
        ["add_header_map_value", 2, "x", -1, 4],
        ["set_header_map_pairs", 0, -1, 4],
        ["get_header_map_size", 0, -1],
        ["get_buffer_bytes", 0, 0, 9, -4, -4],
        ["get_buffer_bytes", 4, 0, 9, -4, -4],
        ["get_buffer_status", 0, -4, -4],
        ["set_buffer_bytes", 0, 0, 0, -1, 4],
        ["get_status", -4, -4, -4],
        ["send_local_response", 403, -1, 4, "", "", -1],
        ["send_local_response", 403, "", -1, 4, "", -1],
        ["send_local_response", 403, "", "", -1, 4, -1],
        ["set_property", -1, 4, "v"],
        ["get_property", "plugin_name", -4, -4],
      ] as Call[],
    },
  },
  {
    name: "address 0 is a place",
    on: { request_headers: [["get_header_map_size", 0, 0], ["get_header_map_value", 0, ":path", 0, 4], log("after")] },
  },
  {
    name: "an allocator that gives nothing",
    parts: { malloc: '(func (export "malloc") (param i32) (result i32) (i32.const 0))' },
    on: { request_headers: [get(0, ":path"), list(0), get(0, "x-none"), read(6), ["get_header_map_size", 0, word]] },
    options: { vmConfig: "vm" },
  },
  {
    name: "an allocator that gives what is outside",
    parts: { malloc: '(func (export "malloc") (param i32) (result i32) (i32.const -16))' },
    on: { request_headers: [get(0, ":path"), list(0), get(0, "x-none"), read(6)] },
    options: { vmConfig: "vm" },
  },
  {
    name: "an allocator that traps",
    parts: { malloc: '(func (export "malloc") (param i32) (result i32) (unreachable))' },
    on: { request_headers: [get(0, ":path"), get(0, "x-none"), set(0, "x", "y"), log("goes on")] },
  },
  {
    name: "an allocator that makes a host call",
    parts: {
      imports: '(import "env" "proxy_get_header_map_size" (func $bad (param i32 i32) (result i32)))',
      malloc:
        '(func (export "malloc") (param i32) (result i32) (drop (call $bad (i32.const 0) (i32.const 64))) (i32.const 0x100000))',
    },
    on: { request_headers: [get(0, ":path"), get(0, "x-none"), set(0, "x", "y"), log("goes on")] },
  },
  {
    name: "an allocator that logs",
    parts: {
      malloc:
        '(func (export "malloc") (param i32) (result i32) (drop (call $log (i32.const 2) (i32.const 0x4000) (i32.const 3))) (i32.const 0x100000))',
    },
    on: { request_headers: [get(0, ":path"), log("goes on")] },
    wholeLog: true,
  },
  {
    name: "the other allocator",
    parts: { malloc: '(func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 0x100000))' },
    on: { request_headers: [get(0, ":path")] },
  },
  plain("only a marker and an allocator", module(marker, memory, malloc)),
  plain("a memory under another name", module(marker, '(memory (export "mem") 1)', malloc)),
  plain("no memory", module(marker, malloc)),
  plain("ABI 0.1.0", module('(func (export "proxy_abi_version_0_1_0"))', memory, malloc)),
  plain("ABI 0.2.0", module('(func (export "proxy_abi_version_0_2_0"))', memory, malloc)),
  plain(
    "a marker of any type",
    module('(func (export "proxy_abi_version_0_2_1") (param i64) (result f32) (f32.const 0))', memory, malloc),
  ),
  plain(
    "a global with the name of a callback",
    module(marker, memory, malloc, '(global (export "proxy_on_log") i32 (i32.const 0))'),
  ),
  plain(
    "a start section",
    module(
      marker,
      memory,
      malloc,
      "(global $g (mut i32) (i32.const 0)) (func $s (global.set $g (i32.const 1))) (start $s)",
    ),
  ),
  plain(
    "main alone",
    module(marker, memory, malloc, '(func (export "main") (param i32 i32) (result i32) (unreachable))'),
  ),
  {
    name: "_initialize and then main",
    on: { _initialize: [log("_initialize")], main: [log("main")], _start: [log("never")] },
    wholeLog: true,
  },
  { name: "_start alone", on: { _start: [log("_start")], main: [log("never")] }, wholeLog: true },
  plain("no marker", module(memory, malloc)),
  plain("a marker of another version", module('(func (export "proxy_abi_version_0_3_0"))', memory, malloc)),
  plain("a global as marker", module('(global (export "proxy_abi_version_0_2_1") i32 (i32.const 0))', memory, malloc)),
  plain("no allocator", module(marker, memory)),
  plain(
    "an allocator of the wrong type",
    module(marker, memory, '(func (export "malloc") (param i64) (result i32) (i32.const 64))'),
  ),
  plain("a callback of the wrong type", module(marker, memory, malloc, '(func (export "proxy_on_log") (param i64))')),
  plain("an unknown import", importing("env", "abort", "(param i32 i32 i32 i32)")),
  plain("an import of the wrong type", importing("env", "proxy_log", "(param i32 i32) (result i32)")),
  plain("an import of another version", importing("env", "proxy_clear_route_cache", "(result i32)")),
  plain("an imported global", module('(import "env" "g" (global i32))', marker, memory, malloc)),
  plain(
    "a WASI function that is none",
    importing("wasi_snapshot_preview1", "sock_open", "(param i32 i32 i32) (result i32)"),
  ),
  plain("a start section that traps", module(marker, memory, malloc, "(func $s (unreachable)) (start $s)")),
  plain("_initialize that traps", module(marker, memory, malloc, '(func (export "_initialize") (unreachable))')),
  plain(
    "_initialize that asks for the time",
    module(
      '(import "env" "proxy_get_current_time_nanoseconds" (func $t (param i32) (result i32)))',
      marker,
      memory,
      malloc,
      '(func (export "_initialize") (drop (call $t (i32.const 64))))',
    ),
  ),
  plain("more memory than there may be", module(marker, '(memory (export "memory") 17000)', malloc)),
  { name: "no module", module: new Uint8Array([1, 2, 3, 4]) },
  { name: "an empty file", module: new Uint8Array() },
  plain("imports of every WASI name", importing("wasi_unstable", "fd_write", i32(4))),
  {
    name: "WASI fd_write",
    parts: { imports: `(import "wasi_snapshot_preview1" "fd_write" (func $fd_write ${i32(4)}))` },
    wholeLog: true,
    on: {
      request_headers: [
        log("hello\n"),
        {
          wat: `(i32.store (i32.const 64) (i32.const 0x4000)) (i32.store (i32.const 68) (i32.const 5)) ${[0, 1, 2, 3].map((fd) => `(call $number (i64.extend_i32_u (call $fd_write ${c(fd, 64, 1, 80)}))) (call $line)`).join(" ")}`,
        },
      ],
    },
  },
  wasi("fd_read", i32(4), c(0, 64, 0, 80)),
  wasi("fd_close", i32(1), c(1)),
  wasi("fd_fdstat_get", i32(2), c(1, 64)),
  wasi("fd_fdstat_get", i32(2), c(0, 64)),
  wasi("fd_prestat_get", i32(2), c(3, 64)),
  wasi("environ_sizes_get", i32(2), c(64, 68)),
  wasi("args_sizes_get", i32(2), c(64, 68)),
  wasi("clock_time_get", "(param i32 i64 i32) (result i32)", "(i32.const 0) (i64.const 0) (i32.const 64)"),
  wasi("clock_time_get", "(param i32 i64 i32) (result i32)", "(i32.const 2) (i64.const 0) (i32.const 64)"),
  wasi("random_get", i32(2), c(64, 16)),
  wasi("random_get", i32(2), c(64, 65537)),
  wasi("random_get", i32(2), c(-1, 16)),
  wasi(
    "path_open",
    "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)",
    `${c(0, 0, 0, 0, 0)} (i64.const 0) (i64.const 0) ${c(0, 64)}`,
  ),
  wasi("sched_yield", "(result i32)", ""),
  {
    name: "proc_exit returns",
    parts: { imports: '(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))' },
    on: { request_headers: [{ wat: "(call $proc_exit (i32.const 1))" }, log("goes on")] },
  },
  {
    name: "environment variables",
    options: { environment: { AA: "b c" } },
    parts: { imports: `(import "wasi_snapshot_preview1" "environ_get" (func $environ_get ${i32(2)}))` },
    on: {
      request_headers: [
        { wat: `(drop (call $environ_get ${c(64, 128)})) (call $escaped (i32.const 128) (i32.const 7)) (call $line)` },
      ],
    },
  },
  {
    name: "memory grows to its limit",
    on: {
      request_headers: [
        {
          wat: "(call $number (i64.extend_i32_u (memory.grow (i32.const 16320)))) (call $line) (call $number (i64.extend_i32_u (memory.grow (i32.const 1)))) (call $line)",
        },
      ],
    },
  },
  {
    name: "a stack that overflows",
    parts: { functions: "(func $deep (call $deep))" },
    on: { request_headers: inTurn([{ wat: "(call $deep)" }], []) },
    exchanges: [{}, {}],
  },
  { name: "a division by zero", on: { request_headers: [{ wat: "(drop (i32.div_u (i32.const 1) (i32.const 0)))" }] } },
  { name: "a load outside of memory", on: { request_headers: [{ wat: "(drop (i32.load (i32.const -8)))" }] } },
];
