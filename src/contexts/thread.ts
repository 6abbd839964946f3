// A thread of the proxy: it has one VM for each module with its configuration, which all plugins that are alike share.
// Source: proxy-wasm-cpp-host src/wasm.cc (getOrCreateThreadLocalWasm, getOrCreateThreadLocalPlugin).

import type { HostContext } from "./context.ts";
import type { Vm } from "../module/vm.ts";

interface Entry {
  readonly vm: Vm<HostContext>;
  readonly vmId: string;
}

/** The VMs of a worker, or of the main thread. */
export class Thread {
  readonly #vms = new Map<string, Entry>();
  readonly #counted: (vmId: string, alive: 1 | -1) => void;

  /** `counted` hears of every VM that comes and goes. */
  constructor(counted: (vmId: string, alive: 1 | -1) => void) {
    this.#counted = counted;
  }

  /** The VM of this key that has not failed. */
  vm(key: string): Vm<HostContext> | undefined {
    const vm = this.#vms.get(key)?.vm;
    return vm?.failed ? undefined : vm;
  }

  /** Keeps a VM under its key, in place of one that has failed. */
  keep(key: string, vm: Vm<HostContext>, vmId: string): void {
    this.#counted(vmId, 1);
    const old = this.#vms.get(key);
    this.#vms.set(key, { vm, vmId });
    if (old) this.#counted(old.vmId, -1);
  }

  /** Lets go of a VM; it runs nothing any more. */
  drop(key: string, vm: Vm<HostContext>): void {
    vm.close();
    const entry = this.#vms.get(key);
    if (entry?.vm !== vm) return;
    this.#vms.delete(key);
    this.#counted(entry.vmId, -1);
  }
}
