// A host that does nothing but answer: every host call gives the status it is told to, and only the configuration is
// real. It calls callbacks by name, without any order of its own.

/** A module on such a host. */
export class StubHost {
  /** What host calls answer. */
  status = 0;
  /** What a buffer holds, while the status is Ok. */
  content: Uint8Array = new Uint8Array();
  readonly #exports: Record<string, (...args: number[]) => number>;
  readonly #memory: WebAssembly.Memory;

  constructor(bytes: Uint8Array, configuration: string) {
    const module = new WebAssembly.Module(Uint8Array.from(bytes));
    const env: Record<string, WebAssembly.ImportValue> = {};
    for (const { name } of WebAssembly.Module.imports(module)) env[name] = () => this.status;
    env["proxy_get_buffer_bytes"] = (type: number, _start: number, _max: number, data: number, size: number) => {
      if (type === 7) return this.#give(new TextEncoder().encode(configuration), data, size);
      return this.status ? this.status : this.#give(this.content, data, size);
    };
    const { exports } = new WebAssembly.Instance(module, { env });
    this.#exports = exports as Record<string, (...args: number[]) => number>;
    this.#memory = exports["memory"] as WebAssembly.Memory;
    this.call("_initialize");
    this.call("proxy_on_context_create", 1, 0);
    this.call("proxy_on_vm_start", 1, 0);
    this.call("proxy_on_configure", 1, configuration.length);
  }

  /** Calls an export, if there is one. */
  call(name: string, ...args: number[]): number | undefined {
    return this.#exports[name]?.(...args);
  }

  /** How many bytes of memory the module has. */
  get memorySize(): number {
    return this.#memory.buffer.byteLength;
  }

  #give(bytes: Uint8Array, data: number, size: number): number {
    const at = bytes.length ? this.call("malloc", bytes.length)! : 0;
    new Uint8Array(this.#memory.buffer).set(bytes, at);
    const view = new DataView(this.#memory.buffer);
    view.setUint32(data, at, true);
    view.setUint32(size, bytes.length, true);
    return 0;
  }
}
