// A host that does nothing but answer: every host call gives the status it is told to, and only the configuration is
// real. It calls callbacks by name, without any order of its own.

/** What a host call does when its status is Ok, with the numbers that the module passed. */
export type Answers = Record<string, (host: StubHost, ...args: number[]) => void>;

/** A module on such a host. */
export class StubHost {
  /** What host calls answer. */
  status = 0;
  /** What single host calls answer, by name, in place of `status`. */
  statuses: Record<string, number> = {};
  /** What a buffer holds, while the status is Ok. */
  content: Uint8Array = new Uint8Array();
  /** The host calls that the module imports. */
  readonly imports: readonly string[];
  readonly #exports: Record<string, (...args: number[]) => number>;
  readonly #memory: WebAssembly.Memory;

  /** Without `answers`, host calls give a status and nothing else. */
  constructor(bytes: Uint8Array, configuration: string, answers: Answers = {}) {
    const module = new WebAssembly.Module(Uint8Array.from(bytes));
    this.imports = WebAssembly.Module.imports(module).map(({ name }) => name);
    const env: Record<string, WebAssembly.ImportValue> = {};
    for (const name of this.imports) {
      const answer = answers[name];
      env[name] = (...args: number[]) => {
        const status = this.statuses[name] ?? this.status;
        if (status === 0) answer?.(this, ...args);
        return status;
      };
    }
    const config = new TextEncoder().encode(configuration);
    env["proxy_get_buffer_bytes"] = (type: number, _start: number, _max: number, data: number, size: number) => {
      const status = type === 7 ? 0 : (this.statuses["proxy_get_buffer_bytes"] ?? this.status);
      if (status === 0) this.give(type === 7 ? config : this.content, data, size);
      return status;
    };
    const { exports } = new WebAssembly.Instance(module, { env, wasi_snapshot_preview1: env });
    this.#exports = exports as Record<string, (...args: number[]) => number>;
    this.#memory = exports["memory"] as WebAssembly.Memory;
    this.call("_initialize");
    this.call("proxy_on_context_create", 1, 0);
    this.call("proxy_on_vm_start", 1, 0);
    this.call("proxy_on_configure", 1, config.length);
  }

  /** Calls an export, if there is one. */
  call(name: string, ...args: number[]): number | undefined {
    return this.#exports[name]?.(...args);
  }

  /** How many bytes of memory the module has. */
  get memorySize(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Hands bytes to the module, in memory it is asked for, and writes where they are and how many. */
  give(bytes: Uint8Array, data: number, size: number): void {
    const at = bytes.length ? this.call("malloc", bytes.length)! : 0;
    new Uint8Array(this.#memory.buffer).set(bytes, at);
    this.write(data, at);
    this.write(size, bytes.length);
  }

  /** Writes a number of 32 bits into the module's memory. */
  write(at: number, number: number): void {
    new DataView(this.#memory.buffer).setUint32(at, number, true);
  }
}
