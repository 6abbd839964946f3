// What the SDK puts in place of parts of asc's library: the runtime `proxy-wasm`, globals that asc would import from a
// browser, which proxies do not offer, and a sort that keeps what it sorts. asc needs decorators here that editors cannot
// read, so this is text, and does little but lead to the SDK's own files.

import { libraryFiles } from "assemblyscript/asc";

/** What asc asks for by name of a runtime. */
libraryFiles["rt/index-proxy-wasm"] = `
import * as heap from "proxy-wasm/assembly/heap";
import * as texts from "proxy-wasm/assembly/join";
@global @unsafe function __new(size: usize, id: u32): usize { return heap.newObject(size, id); }
@global @unsafe function __renew(object: usize, size: usize): usize { return heap.renew(object, size); }
@global @unsafe function __link(parent: usize, child: usize, expectMultiple: bool): void { heap.link(parent, child); }
@global @unsafe function __visit(object: usize, cookie: u32): void { heap.visit(object, cookie); }
@global @unsafe function __collect(): void { heap.collect(); }
@global @unsafe function __pin(object: usize): usize { return heap.pin(object); }
@global @unsafe function __unpin(object: usize): void { heap.unpin(object); }
@global @unsafe function __alloc(size: usize): usize { return heap.hold(size); }
@global @unsafe function __realloc(block: usize, size: usize): usize { return heap.rehold(block, size); }
@global @unsafe function __free(block: usize): void { heap.release(block); }
@global @unsafe function __has_room(size: usize): bool { return heap.hasRoom(size); }
@global function __proxy_wasm_join(a: string, b: string, c: string, d: string): string { return texts.join(a, b, c, d); }
@global @unsafe function __begin_callback(): void { heap.beginCallback(); }
@global @unsafe function __end_callback(): void { heap.endCallback(); }
`;

/** What asc's console, crypto, date, math and performance import. */
libraryFiles["bindings/dom"] = `
import * as lines from "proxy-wasm/assembly/console";
import * as globals from "proxy-wasm/assembly/globals";
import { LogLevel } from "proxy-wasm/assembly/abi";
import { log as write } from "proxy-wasm/assembly/log";
// A global that holds objects costs every filter something unless it is lazy, which asc's decorator says.
@lazy const timers = new Map<string, f64>();
export namespace console {
  export function assert(condition: bool, message: string): void { lines.consoleAssert(condition, message); }
  export function log(message: string): void { write(LogLevel.Info, message); }
  export function debug(message: string): void { write(LogLevel.Debug, message); }
  export function info(message: string): void { write(LogLevel.Info, message); }
  export function warn(message: string): void { write(LogLevel.Warn, message); }
  export function error(message: string): void { write(LogLevel.Error, message); }
  export function time(label: string): void { lines.consoleTime(timers, label); }
  export function timeLog(label: string): void { lines.consoleTimeLog(timers, label, false); }
  export function timeEnd(label: string): void { lines.consoleTimeLog(timers, label, true); }
}
export namespace crypto {
  export function getRandomValues(array: Uint8Array): void { globals.getRandomValues(array); }
}
export namespace Date {
  export function now(): f64 { return globals.dateNow(); }
}
export namespace performance {
  export function now(): f64 { return globals.performanceNow(); }
}
export declare namespace Math {}
`;

/** asc's own one has an empty environment, and asks for its arguments. A proxy's hosts have none. */
libraryFiles["process"] = `
import * as globals from "proxy-wasm/assembly/globals";
@lazy let environment: Map<string, string> | null = null;
export class process {
  @lazy static readonly arch: string = "wasm32";
  @lazy static readonly platform: string = "wasm";
  @lazy static readonly argv: string[] = [];
  @lazy static exitCode: i32 = 0;
  // Read when it is first asked for: ngx_wasm_module cannot answer while a module starts.
  static get env(): Map<string, string> {
    let variables = environment;
    if (variables === null) environment = variables = globals.environment();
    return variables;
  }
  static exit(code: i32 = process.exitCode): void { globals.processExit(code); }
  static time(): i64 { return <i64>globals.dateNow(); }
  static hrtime(): u64 { return globals.hrtime(); }
}
`;

// asc's own one keeps elements where the collector does not look while it calls the comparator, which may collect. A copy
// keeps them all, and the array is kept as well, in case that the comparator enlarges it; `--runtime minimal` frees its
// old place all the same.
const sort = "export function SORT<T>(";
const keepingSort = `${sort}ptr: usize, len: i32, comparator: Comparator<T>): void {
  if (!isManaged<T>() || len < 2) return sortUnkept<T>(ptr, len, comparator);
  const array = changetype<StaticArray<T>>(ptr);
  const elements = new StaticArray<T>(len);
  memory.copy(changetype<usize>(elements), ptr, <usize>len << alignof<T>());
  sortUnkept<T>(ptr, len, comparator);
  for (let i = 0; i < len; i++) __link(ptr, load<usize>(ptr + (<usize>i << alignof<T>())), false);
}
function sortUnkept<T>(`;
// This file may run twice, where a test runner loads it beside asc.
const library = libraryFiles["util/sort"];
if (library && !library.includes(keepingSort)) libraryFiles["util/sort"] = library.replace(sort, keepingSort);
