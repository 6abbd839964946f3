// One running instance of a module: calls its exports, keeps track of whose callback is active, and stops for good at
// the first trap. Source: proxy-wasm-cpp-host src/wasm.cc, include/proxy-wasm/wasm_vm.h.

import type { Dispatcher } from "../dispatcher.ts";
import { HostFault, LoadError } from "../error.ts";
import { beyond, ENTRY_BYTES, type Limits } from "../limits.ts";
import type { LoadedModule } from "./load.ts";
import { GuestMemory } from "./memory.ts";
import type { AbiVersion } from "../profiles/function-types.ts";
import type { HostProfile } from "../profiles/profile.ts";
import type { TimeLimit } from "./time-limit.ts";
import type { Trace, TraceEvent } from "../trace.ts";
import { Trap } from "./trap.ts";

/** What a callback belongs to. */
export interface VmContext {
  readonly id: number;
  /** Where what happens in its callbacks is written down. */
  readonly trace: Trace;
  /** A callback of its own has trapped: called before what the callback has put off happens. */
  failing?(): void;
}

/** Makes the imports of an instance. */
export type ImportFactory<Context extends VmContext> = (vm: Vm<Context>) => WebAssembly.Imports;

type Exported = (...args: number[]) => unknown;

/** An instance of a module. */
export class Vm<Context extends VmContext> {
  readonly memory: GuestMemory;
  /** The globals that the module exports. */
  readonly globals: ReadonlyMap<string, WebAssembly.Global>;
  /** The version of the ABI that the module declares. */
  readonly abi: AbiVersion;
  /** The contexts that live in it, by id. */
  readonly contexts: Map<number, Context> = new Map();
  /** Why it runs nothing any more, or undefined. */
  failed: Trap | undefined;
  /** Which calls are forbidden just now: those of the start functions, those of an allocator, or none. */
  restricted: "start" | "malloc" | undefined;
  /** Whether the running callback asked for a local reply, which stops the stream whatever it returns. */
  stopped = false;
  /** Whether the callback that ran last did. */
  lastStopped = false;

  readonly #functions: ReadonlyMap<string, Exported>;
  readonly #timeLimit: TimeLimit | undefined;
  readonly #dispatcher: Dispatcher;
  readonly #profile: HostProfile;
  readonly #limits: Limits;
  readonly #afterCall: (() => void)[] = [];
  /** How many of them have been done. */
  #done = 0;
  #deferredBytes = 0;
  readonly #calls: [number, number, number] = [0, 0, 0];
  #dnsToken = 1;
  #nextId = 1;
  #current: Context | undefined;
  #effective: Context | undefined;
  #depth = 0;
  #allocatorError: Error | undefined;
  #closed = false;

  constructor(
    { module, abi, provide }: LoadedModule,
    dispatcher: Dispatcher,
    imports: ImportFactory<Context>,
    timeLimit: TimeLimit | undefined,
    profile: HostProfile,
    limits: Limits,
  ) {
    this.abi = abi;
    this.#limits = limits;
    this.#profile = profile;
    this.#dispatcher = dispatcher;
    this.#timeLimit = timeLimit;
    const { neverCalled } = profile;
    const given = imports(this);
    const provided = provide(given);
    const exports = Object.entries(instantiate(module, given)).filter(([name]) => !neverCalled.includes(name));
    this.#functions = new Map(exports.filter((item): item is [string, Exported] => typeof item[1] === "function"));
    this.globals = new Map(
      exports.filter((item): item is [string, WebAssembly.Global] => item[1] instanceof WebAssembly.Global),
    );
    const exported = exports.map(([, value]) => value).find((value) => value instanceof WebAssembly.Memory);
    const memory = exported ?? provided ?? new WebAssembly.Memory({ initial: 0 });
    this.memory = new GuestMemory(memory, (size) => this.#allocate(size), profile);
  }

  /** Whether the module exports a function of this name that the host calls. */
  exports(name: string): boolean {
    return this.#functions.has(name);
  }

  /** The context that a host call means: the one it has chosen, or the one whose callback is running. */
  get context(): Context | undefined {
    return this.#effective ?? this.#current;
  }

  /** The context whose callback is running, whatever it has chosen. */
  get running(): Context | undefined {
    return this.#current;
  }

  /** Chooses the context of the host calls to come, until the running callback ends; undefined unchooses it. */
  setEffectiveContext(context: Context | undefined): void {
    this.#effective = context;
  }

  /** A number that no living context has. */
  newContextId(): number {
    while (this.contexts.has(this.#nextId) || this.#nextId === 0) this.#nextId = (this.#nextId + 1) >>> 0;
    const id = this.#nextId;
    this.#nextId = (this.#nextId + 1) >>> 0;
    return id;
  }

  /** A number for a callout of this kind, which stands in its low two bits. */
  newCallId(kind: 0 | 1 | 2): number {
    const [first, step] = this.#profile.calloutIds;
    return first + step * this.#calls[kind]++ + kind;
  }

  /** A number for a name that is resolved. */
  newDnsToken(): number {
    return ++this.#dnsToken;
  }

  /** Does something when the outermost callback has returned; it holds so many bytes until then. */
  afterCall(action: () => void, bytes: number = 0): void {
    this.#deferredBytes += bytes + ENTRY_BYTES;
    if (this.#deferredBytes > this.#limits.deferredBytes) {
      const { reason } = beyond("deferredBytes", "what is to be done after it", this.#deferredBytes, this.#limits);
      throw new Error(`it asks for too much: ${reason}`);
    }
    this.#afterCall.push(action);
  }

  /** Runs the start function: `_initialize` and `main`, or `_start`. */
  start(): void {
    const names = this.exports("_initialize")
      ? ["_initialize", this.exports("main") ? "main" : "__main_void"]
      : ["_start"];
    this.restricted = "start";
    try {
      for (const name of names) {
        const run = this.#functions.get(name);
        if (!run) continue;
        try {
          this.#run(name, run, name === "main" ? [0, 0] : []);
        } catch (error) {
          throw new LoadError(`the module's start function ${name} failed: ${messageOf(error)}`, { cause: error });
        }
      }
    } finally {
      this.restricted = undefined;
    }
  }

  /**
   * Calls an export in the name of a context, then does what was put off meanwhile. Undefined when the module does not
   * export it, when the VM has failed before, or fails now.
   */
  call(name: string, context: Context, args: number[]): number | undefined {
    this.lastStopped = false;
    const callback = this.#functions.get(name);
    if (!callback || this.failed || this.#closed) return undefined;
    this.#dispatcher.begin();
    try {
      return this.#callNow(name, callback, context, args);
    } finally {
      this.#dispatcher.end();
    }
  }

  /** Runs nothing any more: the proxy has dropped it. */
  close(): void {
    this.#closed = true;
  }

  #callNow(name: string, callback: Exported, context: Context, args: number[]): number | undefined {
    const current = this.#current;
    const effective = this.#effective;
    this.#current = context;
    this.#effective = undefined;
    const event: TraceEvent = { kind: "callback", name, args, result: undefined };
    context.trace.push(event);
    this.#depth++;
    let result: number | undefined;
    try {
      result = this.#run(name, callback, args);
      event.result = result;
    } catch (error) {
      this.#fail(error, name, context);
    } finally {
      this.#depth--;
      this.#current = current;
      this.#effective = effective;
    }
    if (this.#allocatorError) this.#fail(this.#allocatorError, name, context);
    // Cleared before what was put off: the callbacks of the local reply itself must not find themselves stopped.
    const stopped = this.stopped;
    this.stopped = false;
    if (!this.#depth && this.#afterCall.length) this.#drain();
    this.lastStopped = stopped;
    return this.failed ? undefined : result;
  }

  #run(name: string, call: Exported, args: number[]): number | undefined {
    // What the filter's own callbacks call again runs within their time.
    const outermost = this.#depth <= 1 && this.restricted !== "malloc";
    const result: unknown = this.#timeLimit && outermost ? this.#runLimited(name, call, args) : call(...args);
    return typeof result === "number" ? result >>> 0 : undefined;
  }

  /** What is interrupted runs no `finally`: what was begun within it is ended here. */
  #runLimited(name: string, call: Exported, args: number[]): unknown {
    const [depth, restricted, events] = [this.#depth, this.restricted, this.#dispatcher.depth];
    try {
      return this.#timeLimit!(() => call(...args), name, this.#abandon);
    } catch (error) {
      this.#depth = depth;
      this.restricted = restricted;
      this.#dispatcher.depth = events;
      throw error;
    }
  }

  /** Nothing that was to follow a callback has been done; the filter fails with it. */
  readonly #abandon = (error: Error, name: string): void => {
    const context = this.#current;
    this.#depth = 0;
    this.#current = undefined;
    this.#effective = undefined;
    this.#allocatorError = undefined;
    this.restricted = undefined;
    this.stopped = false;
    this.#forgetDeferred();
    this.#dispatcher.abandon();
    if (context) this.#fail(error, name, context);
  };

  #drain(): void {
    try {
      // An action may run a callback, which then does the rest. What is done is taken out in the end: it may be much.
      while (this.#done < this.#afterCall.length) this.#afterCall[this.#done++]!();
    } finally {
      // What a broken stream has put off must not happen to the next one.
      this.#forgetDeferred();
    }
  }

  #forgetDeferred(): void {
    this.#afterCall.length = 0;
    this.#done = 0;
    this.#deferredBytes = 0;
  }

  #fail(error: unknown, callback: string, context: Context): void {
    if (error instanceof HostFault) {
      this.#forgetDeferred();
      throw error;
    }
    this.failed = new Trap(messageOf(error), callback, context.trace, { cause: error });
    this.#allocatorError = undefined;
    context.failing?.();
  }

  // A trap in here fails only the host call at first: the filter runs on until its callback returns.
  #allocate(size: number): number {
    const outer = this.restricted;
    this.restricted = "malloc";
    try {
      const name = this.exports("malloc") ? "malloc" : "proxy_on_memory_allocate";
      return this.#run(name, this.#functions.get(name)!, [size]) ?? 0;
    } catch (error) {
      this.#allocatorError = error instanceof Error ? error : new Error(String(error));
      return 0;
    } finally {
      this.restricted = outer;
    }
  }
}

function instantiate(module: WebAssembly.Module, imports: WebAssembly.Imports): WebAssembly.Exports {
  try {
    return new WebAssembly.Instance(module, imports).exports;
  } catch (error) {
    if (error instanceof LoadError) throw error;
    throw new LoadError(`the module cannot be instantiated: ${messageOf(error)}`, { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
