// Makes the filter of a scenario: each callback logs itself with its arguments, then does its host calls one by one and
// logs what each answered. Outputs are filled with a pattern first, so that what the host leaves alone shows.

import { callbackSignatures, envFunctions } from "../../src/profiles/function-types.ts";
import { wat } from "../support/compile.ts";
import type { Argument, Call, Scenario, Step } from "./scenario.ts";

/** Where things lie: each callback's outputs, as one may come inside another; texts; the line; what the host gives. */
const [OUTPUTS, TEXTS, LINE, HEAP] = [0x100, 0x4000, 0x40000, 0x100000];
const OUTPUT_BYTES = 128;
/** Fills outputs before a call. */
const POISON = 0x7a7a7a7a;

const words = (text: string): string[] => text.split(" ");
const messages = words(
  "request_headers request_body request_trailers response_headers response_body response_trailers",
);
const streamCallbacks = ["context_create", ...messages, "log", "done", "delete"];
const networkCallbacks = words(
  "new_connection downstream_data upstream_data downstream_connection_close upstream_connection_close",
);

/** The module of a scenario, and the host calls it imports. */
export function filterOf(scenario: Scenario): { bytes: Uint8Array; imports: string[] } {
  const { module } = scenario;
  const bytes =
    module === undefined ? wat(new Probe(scenario).text()) : typeof module === "string" ? wat(module) : module;
  return { bytes, imports: importsOf(bytes) };
}

/** The module of its second filter. */
export function secondFilterOf(scenario: Scenario, { on, name }: NonNullable<Scenario["second"]>): Uint8Array {
  return wat(new Probe({ ...scenario, on, parts: {} }, `${name}: `).text());
}

function importsOf(bytes: Uint8Array): string[] {
  try {
    return WebAssembly.Module.imports(new WebAssembly.Module(Uint8Array.from(bytes))).map((item) => item.name);
  } catch {
    return [];
  }
}

class Probe {
  readonly #scenario: Scenario;
  /** What its lines begin with. */
  readonly #mark: string;
  readonly #imports = new Map<string, string>();
  readonly #texts = new Map<string, number>();
  readonly #globals: string[] = [];
  #data = "";
  #outputs = OUTPUTS;

  constructor(scenario: Scenario, mark = "") {
    this.#scenario = scenario;
    this.#mark = mark;
  }

  text(): string {
    const { on = {}, parts = {} } = this.#scenario;
    const isTcp = (this.#scenario.exchanges ?? [this.#scenario]).some(({ tcp }) => tcp);
    const always = isTcp ? ["context_create", ...networkCallbacks, "log", "done", "delete"] : streamCallbacks;
    const names = new Set([...always, ...Object.keys(on)]);
    const callbacks = [...names].map((name) => this.#callback(name)).join("\n");
    return `(module
      (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
      ${[...this.#imports.values()].join("\n")}
      ${parts.imports ?? ""}
      (memory (export "memory") 64)
      (data (i32.const ${TEXTS}) "${this.#data}")
      (global $free (mut i32) (i32.const ${HEAP}))
      (global $at (mut i32) (i32.const ${LINE}))
      ${this.#globals.join("\n")}
      (func (export "proxy_abi_version_0_2_1"))
      ${parts.malloc ?? allocator}
      ${support}
      ${parts.functions ?? ""}
      ${callbacks})`;
  }

  #callback(name: string): string {
    this.#outputs += OUTPUT_BYTES;
    const exported = name.startsWith("_") || name === "main" ? name : `proxy_on_${name}`;
    const signature = callbackSignatures[exported];
    if (signature === undefined) throw new Error(`there is no callback ${exported}`);
    const count = signature.split("->")[0]!.trim().split(" ").filter(Boolean).length;
    const result = signature.endsWith("i32");
    const script = this.#scenario.on?.[name] ?? [];
    const turns = "turns" in script ? script.turns : [script];
    const answer = ["vm_start", "configure", "done"].includes(name) ? 1 : 0;
    const shown = Array.from({ length: count }, (_, i) => `(call $number (i64.extend_i32_u (local.get ${i})))`);
    return `(func (export "${exported}") ${"(param i32) ".repeat(count)} ${result ? "(result i32)" : ""}
      (local $s i32) (local $turn i32)
      (global.set $free (i32.const ${HEAP}))
      ${this.#say(`${this.#mark}${name}(`)} ${shown.join(this.#say(","))} ${this.#say(")")} (call $line)
      ${this.#count(name, turns.length)}
      ${turns.map((steps, i) => this.#turn(steps, i, turns.length, result ? answer : undefined)).join("\n")})`;
  }

  /** Counts the calls of a callback, when it matters. */
  #count(name: string, turns: number): string {
    if (turns < 2) return "";
    this.#globals.push(`(global $turn_${name} (mut i32) (i32.const 0))`);
    return `(local.set $turn (global.get $turn_${name}))
      (global.set $turn_${name} (i32.add (local.get $turn) (i32.const 1)))`;
  }

  #turn(steps: readonly Step[], index: number, turns: number, answer: number | undefined): string {
    const end = steps.at(-1);
    const value = typeof end === "number" ? end : answer;
    const code = steps.map((step) => (typeof step === "number" ? "" : "wat" in step ? step.wat : this.#call(step)));
    const body = `${code.join("\n")} (return ${value === undefined ? "" : `(i32.const ${value})`})`;
    return index === turns - 1 ? body : `(if (i32.eq (local.get $turn) (i32.const ${index})) (then ${body}))`;
  }

  #call([name, ...args]: Call): string {
    const call = this.#import(name);
    const shown: string[] = [];
    const values = args.flatMap((arg) => this.#argument(arg, shown));
    if (name === "log") return `(drop (call $log ${values.join(" ")}))`;
    return `(call $poison (i32.const ${this.#outputs})) (local.set $s (call ${call} ${values.join(" ")}))
      ${this.#say(`${this.#mark}  ${name} `)} (call $number (i64.extend_i32_u (local.get $s)))
      ${shown.map((show) => `${this.#say(" ")} ${show}`).join("\n")} (call $line)`;
  }

  #import(name: string): string {
    if (name === "log") return "$log";
    const inEnv = [`proxy_${name}`, name].find((full) => full in envFunctions);
    if (inEnv === undefined) throw new Error(`there is no host call ${name}`);
    const [parameters] = envFunctions[inEnv]!.signature.split("->");
    const type = `(param ${parameters!}) (result i32)`;
    this.#imports.set(name, `(import "env" "${inEnv}" (func $${name} ${type}))`);
    return `$${name}`;
  }

  #argument(arg: Argument, shown: string[]): string[] {
    if (typeof arg === "bigint") return [`(i64.const ${arg})`];
    if (typeof arg === "number") return [`(i32.const ${arg})`];
    if (typeof arg === "string" || arg instanceof Uint8Array) return this.#text(arg);
    const at = this.#outputs + 16 * shown.length;
    shown.push(`(call $${arg.shows} (i32.const ${at}))`);
    const isData = ["data", "size", "present", "pairs"].includes(arg.shows);
    return isData ? [`(i32.const ${at})`, `(i32.const ${at + 4})`] : [`(i32.const ${at})`];
  }

  /** Address and size of a text in the module's data. */
  #text(value: string | Uint8Array): string[] {
    const bytes = Buffer.from(value as string);
    const escaped = [...bytes].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
    let at = this.#texts.get(escaped);
    if (at === undefined) {
      at = TEXTS + this.#data.length / 3;
      this.#texts.set(escaped, at);
      this.#data += escaped;
    }
    return [`(i32.const ${at})`, `(i32.const ${bytes.length})`];
  }

  #say(text: string): string {
    return `(call $raw ${this.#text(text).join(" ")})`;
  }
}

/** Whether an output was left alone. */
const untouched = (word: string): string => `(i32.eq ${word} (i32.const ${POISON}))`;
const first = "(i32.load (local.get $p))";
const second = "(i32.load offset=4 (local.get $p))";

const allocator = `(func (export "malloc") (param $size i32) (result i32) (local $at i32)
  (local.set $at (global.get $free))
  (global.set $free (i32.add (local.get $at) (i32.and (i32.add (local.get $size) (i32.const 7)) (i32.const -8))))
  (local.get $at))`;

/** Writes a line into memory and logs it: `$raw` as it is, `$text` with escapes, numbers in decimal, outputs. */
const support = `
  (func $char (param $c i32)
    (i32.store8 (global.get $at) (local.get $c))
    (global.set $at (i32.add (global.get $at) (i32.const 1))))
  (func $raw (param $p i32) (param $n i32)
    (memory.copy (global.get $at) (local.get $p) (local.get $n))
    (global.set $at (i32.add (global.get $at) (local.get $n))))
  (func $digit (param $d i32)
    (call $char (i32.add (local.get $d) (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $d) (i32.const 9))))))
  (func $number (param $v i64)
    (if (i64.ge_u (local.get $v) (i64.const 10)) (then (call $number (i64.div_u (local.get $v) (i64.const 10)))))
    (call $digit (i32.wrap_i64 (i64.rem_u (local.get $v) (i64.const 10)))))
  (func $escaped (param $p i32) (param $n i32) (local $c i32) (local $end i32)
    (local.set $end (i32.add (local.get $p) (local.get $n)))
    (block $out (loop $next
      (br_if $out (i32.ge_u (local.get $p) (local.get $end)))
      (local.set $c (i32.load8_u (local.get $p)))
      (if (i32.and (i32.and (i32.ge_u (local.get $c) (i32.const 32)) (i32.le_u (local.get $c) (i32.const 126)))
                   (i32.ne (local.get $c) (i32.const 92)))
        (then (call $char (local.get $c)))
        (else (call $char (i32.const 92))
          (call $digit (i32.shr_u (local.get $c) (i32.const 4))) (call $digit (i32.and (local.get $c) (i32.const 15)))))
      (local.set $p (i32.add (local.get $p) (i32.const 1)))
      (br $next))))
  (func $line
    (drop (call $log (i32.const 2) (i32.const ${LINE}) (i32.sub (global.get $at) (i32.const ${LINE}))))
    (global.set $at (i32.const ${LINE})))
  (func $poison (param $p i32)
    (memory.fill (local.get $p) (i32.const ${POISON & 0xff}) (i32.const ${OUTPUT_BYTES})))
  (func $null (call $char (i32.const 110)) (call $char (i32.const 117)) (call $char (i32.const 108)) (call $char (i32.const 108)))
  (func $missing (param $p i32) (result i32)
    (if ${untouched(first)} (then (call $char (i32.const 45)) (return (i32.const 1))))
    (if (i32.eqz (i32.or ${first} ${second})) (then (call $null) (return (i32.const 1))))
    (i32.const 0))
  (func $data (param $p i32)
    (if (call $missing (local.get $p)) (then (return)))
    (call $char (i32.const 34)) (call $escaped ${first} ${second}) (call $char (i32.const 34)))
  (func $size (param $p i32)
    (if (call $missing (local.get $p)) (then (return)))
    (call $char (i32.const 35)) (call $number (i64.extend_i32_u ${second})))
  (func $present (param $p i32)
    (if (call $missing (local.get $p)) (then (return)))
    (call $char (i32.const 42)))
  (func $word (param $p i32)
    (if ${untouched(first)} (then (call $char (i32.const 45)) (return)))
    (call $number (i64.extend_i32_u ${first})))
  (func $long (param $p i32)
    (if ${untouched(first)} (then (call $char (i32.const 45)) (return)))
    (call $number (i64.load (local.get $p))))
  (func $volatile (param $p i32)
    (call $char (select (i32.const 45) (i32.const 42) ${untouched(first)})))
  (func $pairs (param $p i32) (local $sizes i32) (local $end i32)
    (if (call $missing (local.get $p)) (then (return)))
    (local.set $sizes (i32.add ${first} (i32.const 4)))
    (local.set $p (i32.add (local.get $sizes) (i32.shl (i32.load ${first}) (i32.const 3))))
    (local.set $end (local.get $p))
    (call $char (i32.const 91))
    (block $out (loop $next
      (br_if $out (i32.ge_u (local.get $sizes) (local.get $end)))
      (call $escaped (local.get $p) (i32.load (local.get $sizes)))
      (call $char (i32.const 61))
      (local.set $p (i32.add (i32.add (local.get $p) (i32.load (local.get $sizes))) (i32.const 1)))
      (call $escaped (local.get $p) (i32.load offset=4 (local.get $sizes)))
      (call $char (i32.const 32))
      (local.set $p (i32.add (i32.add (local.get $p) (i32.load offset=4 (local.get $sizes))) (i32.const 1)))
      (local.set $sizes (i32.add (local.get $sizes) (i32.const 8)))
      (br $next)))
    (call $char (i32.const 93)))`;
