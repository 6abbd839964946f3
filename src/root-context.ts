// The root context of a plugin: its configuration, its timer, its life. Source: proxy-wasm-cpp-host src/context.cc.

import { Status } from "../assembly/abi.ts";
import { CalloutInbox } from "./callout-inbox.ts";
import { HostContext } from "./context.ts";
import { Refusal } from "./error.ts";
import { Trace } from "./trace.ts";

/** The context of a plugin configuration in a VM. */
export class RootContext extends HostContext {
  readonly trace: Trace = new Trace();
  readonly root: RootContext = this;
  readonly inbox: CalloutInbox = new CalloutInbox(this);
  #cancelTick: (() => void) | undefined;
  #donePending = false;

  /** Creates, starts and configures it; what refuses gives its name. */
  start(): "proxy_on_vm_start" | "proxy_on_configure" | undefined {
    const { vm, plugin, id } = this;
    plugin.withConfiguration(() => vm.call("proxy_on_context_create", this, [id, 0]));
    if (vm.call("proxy_on_vm_start", this, [id, plugin.vmConfiguration.length]) === 0) return "proxy_on_vm_start";
    const configured = plugin.withConfiguration(() =>
      vm.call("proxy_on_configure", this, [id, plugin.configuration.length]),
    );
    return configured === 0 ? "proxy_on_configure" : undefined;
  }

  /** Ticks every so many milliseconds, first after one period; 0 stops it. */
  setTickPeriod(milliseconds: number): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    if (!milliseconds) return;
    const tick = (): void => {
      const armed = this.#cancelTick;
      this.vm.call("proxy_on_tick", this, [this.id]);
      // The handler may have set another period, or none.
      if (this.#cancelTick === armed && !this.vm.failed) this.setTickPeriod(milliseconds);
    };
    this.#cancelTick = this.plugin.host.clock.after(milliseconds, tick);
  }

  /** The plugin is removed. A filter that answers false stays until it calls `done`. */
  end(): void {
    if (this.vm.call("proxy_on_done", this, [this.id]) !== 0) return this.#delete();
    this.#donePending = true;
    // Nothing else keeps the VM: Envoy drops it here and now, and there is no on_delete.
    if (this.vm.contexts.size === 1) this.#stop();
  }

  /** The filter is done after all. */
  done(): Refusal | undefined {
    if (!this.#donePending) {
      return new Refusal(Status.NotFound, "proxy_done is for a root context whose on_done has answered false");
    }
    this.#donePending = false;
    this.vm.afterCall(() => this.#delete());
    return undefined;
  }

  #delete(): void {
    this.setTickPeriod(0);
    this.vm.call("proxy_on_delete", this, [this.id]);
    this.vm.contexts.delete(this.id);
    this.#stop();
  }

  #stop(): void {
    this.setTickPeriod(0);
    this.inbox.cancel();
  }
}
