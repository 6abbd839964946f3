// Whether a proxy would take a module, from what the module says of itself and what the tables say of the proxy.

import { callbackSignature, importHint } from "../module/load.ts";
import { abiMarkers, type AbiVersion, callbackSignatures } from "../profiles/function-types.ts";
import type { ModuleInfo } from "../module/module.ts";
import type { Target } from "./targets.ts";

/** What stands in a module's way, or what it should know. */
export interface Finding {
  /** What kind of thing it is, for programs. */
  readonly code:
    | "abi"
    | "import-missing"
    | "import-type"
    | "import-kind"
    | "export-missing"
    | "export-type"
    | "memory"
    | "size"
    | "start"
    | "idle-import"
    | "ignored-callback"
    | "useless-callback";
  /** The import, export or number that it is about. */
  readonly subject: string;
  /** A sentence: what is so, and what would be right. */
  readonly message: string;
}

/** What a proxy would do with a module. */
export interface Verdict {
  /** The proxy. */
  readonly target: string;
  /** `loads`; `limited` when it loads and part of what it uses does nothing there; `refused`. */
  readonly verdict: "loads" | "limited" | "refused";
  /** Why it is refused; empty otherwise. */
  readonly problems: readonly Finding[];
  /** What does nothing there. */
  readonly limits: readonly Finding[];
}

/** What a module says of itself, and its size in bytes. */
export interface ModuleFacts extends ModuleInfo {
  readonly bytes: number;
  /** Exports whose function does nothing but answer a number, or nothing (`""`). */
  readonly constantExports: ReadonlyMap<string, number | "">;
}

/** Judges a module for a proxy. */
export function judge(facts: ModuleFacts, target: Target): Verdict {
  const abi = abiFor(facts, target);
  const problems = [
    ...(abi === undefined ? [noMarker(target)] : importProblems(facts, target, abi)),
    ...exportProblems(facts, target, abi ?? "0.2.1"),
    ...sizeProblems(facts, target),
  ];
  const limits = idleParts(facts, target);
  const verdict = problems.length ? "refused" : limits.length ? "limited" : "loads";
  return { target: target.id, verdict, problems, limits };
}

/** What is odd about a module, whichever proxy it goes to. */
export function remarks(facts: ModuleFacts): Finding[] {
  const names = functionNames(facts);
  const unknown = names.filter((name) => name.startsWith("proxy_on_") && !Object.hasOwn(callbackSignatures, name));
  const markers = names.filter((name) => Object.hasOwn(abiMarkers, name));
  const all: Finding[] = unknown.map((name) => ({
    code: "useless-callback",
    subject: name,
    message: `no proxy calls ${name}; is it misspelt?`,
  }));
  for (const [name, answer] of facts.constantExports) {
    // A callback that always answers 1 holds what comes.
    if (!isStreamCallback(name) || answer === 1) continue;
    const message = `${name} does nothing, and a proxy that finds it calls it each time; do not export it`;
    all.push({ code: "useless-callback", subject: name, message });
  }
  if (facts.hasStart) {
    const message =
      "a start section runs before Envoy can answer host calls, and a host call in it ends Envoy; " +
      'with asc: "exportStart": "_initialize"';
    all.push({ code: "start", subject: "start section", message });
  }
  if (markers.length > 1) {
    const message = `${markers.join(" and ")} are exported; proxies take the first, ${markers[0]!}`;
    all.push({ code: "abi", subject: markers[0]!, message });
  }
  return all;
}

/** The version of the ABI that a proxy finds in a module; undefined when it finds none that it knows. */
function abiFor(facts: ModuleInfo, { markers }: Target): AbiVersion | undefined {
  const known = markers ?? abiMarkers;
  const marker = functionNames(facts).find((name) => Object.hasOwn(known, name));
  if (marker !== undefined) return known[marker];
  return markers ? undefined : "0.2.1";
}

function noMarker({ markers = {} }: Target): Finding {
  const names = Object.keys(markers);
  return {
    code: "abi",
    subject: "proxy_abi_version",
    message: `it exports none of ${names.join(", ")}, so it is no proxy-wasm filter`,
  };
}

function* importProblems({ imports }: ModuleInfo, target: Target, abi: AbiVersion): Generator<Finding> {
  const offered = target.functions(abi);
  for (const { module, name, kind, signature, limits } of imports) {
    const subject = `${module}.${name}`;
    if (kind === "memory" || kind === "table") {
      const message = target.makesMemory
        ? `${subject} is a ${kind} that is shared, has 64-bit addresses or holds something else than functions`
        : `${subject}: no ${kind} is given to a module`;
      if (!target.makesMemory || !limits?.isPlain) yield { code: "import-kind", subject, message };
      continue;
    }
    const table = Object.hasOwn(offered, module) ? offered[module]! : {};
    const here = kind === "function" && Object.hasOwn(table, name) ? table[name] : undefined;
    if (here === undefined) {
      const message = `${subject} (${signature ?? kind}) is missing${importHint(name, abi)}`;
      yield { code: "import-missing", subject, message };
    } else if (here !== signature) {
      yield { code: "import-type", subject, message: `${subject} is ${here}, the module wants ${signature}` };
    }
  }
}

function* exportProblems(facts: ModuleInfo, target: Target, abi: AbiVersion): Generator<Finding> {
  const { allocators, required, starts, comparesCallbacks } = target;
  const functions = functionNames(facts);
  if (!allocators.some((name) => functions.includes(name))) {
    const message = `it exports no allocator: ${allocators.join(" or ")}, of type i32 -> i32`;
    yield { code: "export-missing", subject: allocators[0]!, message };
  }
  for (const name of required.filter((name) => !facts.exports.some((item) => item.name === name))) {
    yield { code: "export-missing", subject: name, message: `it does not export ${name}, which has to be there` };
  }
  // A module whose start functions are others would run without ever having been set up.
  const own = ["_initialize", "_start"].filter((name) => functions.includes(name));
  if (own.length && !own.some((name) => starts.includes(name))) {
    const message = `${own[0]!} is never called, only ${starts.join(" or ")}; with asc: --exportStart ${starts[0]!}`;
    yield { code: "start", subject: own[0]!, message };
  }
  if (!comparesCallbacks) return;
  for (const { name, kind, signature } of facts.exports) {
    const wanted = kind === "function" ? callbackSignature(name, abi) : undefined;
    if (wanted !== undefined && signature !== wanted) {
      const message = `${name} is exported as ${signature}, and called as ${wanted}`;
      yield { code: "export-type", subject: name, message };
    } else if (signature?.includes("v128")) {
      const message = `${name} is exported as ${signature}; an exported function with v128 ends Envoy`;
      yield { code: "export-type", subject: name, message };
    }
  }
}

function* sizeProblems(facts: ModuleFacts, { moduleBytes, memoryPages }: Target): Generator<Finding> {
  const { bytes, memories, imports } = facts;
  if (moduleBytes !== undefined && bytes > moduleBytes) {
    const message = `it has ${grouped(bytes)} bytes; ${grouped(moduleBytes)} are the most`;
    yield { code: "size", subject: String(bytes), message };
  }
  const imported = imports.flatMap(({ kind, limits }) => (kind === "memory" && limits ? [limits] : []));
  for (const { initial } of [...imported, ...memories]) {
    if (initial <= memoryPages) continue;
    const message = `its memory begins with ${grouped(initial)} pages of 64 KiB; ${grouped(memoryPages)} are the most`;
    yield { code: "memory", subject: String(initial), message };
  }
}

function idleParts(facts: ModuleFacts, { idle, ignored }: Target): Finding[] {
  const imports = facts.imports.filter(({ module, name }) => module === "env" && Object.hasOwn(idle, name));
  const exports = functionNames(facts).filter(
    (name) => Object.hasOwn(ignored, name) && !facts.constantExports.has(name),
  );
  return [
    ...imports.map(({ name }): Finding => ({ code: "idle-import", subject: name, message: `${name}: ${idle[name]!}` })),
    ...exports.map((name): Finding => ({
      code: "ignored-callback",
      subject: name,
      message: `${name}: ${ignored[name]!}`,
    })),
  ];
}

/** Callbacks that a proxy looks up and skips when they are not there. */
function isStreamCallback(name: string): boolean {
  const isLookedUp = /^proxy_on_(request|response|downstream|upstream|new_connection|tick|log|http_call|grpc|queue)/;
  return isLookedUp.test(name) && Object.hasOwn(callbackSignatures, name);
}

function functionNames({ exports }: ModuleInfo): string[] {
  return exports.filter(({ kind }) => kind === "function").map(({ name }) => name);
}

function grouped(number: number): string {
  return number.toLocaleString("en-US");
}
