// The root context of a plugin: its configuration, its timer, its life. Source: proxy-wasm-cpp-host src/context.cc.

import { type MapType, Status } from "../../assembly/abi.ts";
import { type ByteString, joinBytes, toBytes } from "../encoding/bytes.ts";
import { CalloutInbox } from "./callout-inbox.ts";
import { HostContext, loggedMap, type LoggedStream, mapNames } from "./context.ts";
import { crc32 } from "../encoding/crc32.ts";
import { HostFault, Misuse, Refusal } from "../error.ts";
import type { HeaderMap } from "../http/header-map.ts";
import { leftovers } from "../leftovers.ts";
import { CALL_BYTES } from "../limits.ts";
import type { Plugin } from "./plugin.ts";
import { property } from "../properties/properties.ts";
import type { PropertyValue } from "../properties/property-value.ts";
import { Trace } from "../trace.ts";
import type { Vm } from "../module/vm.ts";

/** The context of a plugin configuration in a VM. */
export class RootContext extends HostContext {
  readonly trace: Trace = new Trace(this.plugin.host.limits.traceBytes);
  readonly root: RootContext = this;
  readonly inbox: CalloutInbox = new CalloutInbox(this);
  #cancelTick: (() => void) | undefined;
  #donePending = false;
  /** The stream that it is to log. */
  #logged: LoggedStream | undefined;
  /** How many plugins and streams use it. */
  #users = 1;

  constructor(plugin: Plugin, vm: Vm<HostContext>) {
    super(plugin, vm, plugin.host.proxy.profile.rootId === "crc32" ? hashed(plugin) : vm.newContextId());
  }

  /** Creates, starts and configures it; what refuses gives its name. `again` when another VM has failed before. */
  start(again: boolean): "proxy_on_vm_start" | "proxy_on_configure" | undefined {
    const { vm, plugin, id } = this;
    plugin.withConfiguration(() => vm.call("proxy_on_context_create", this, [id, 0]));
    this.phase = "on_vm_start";
    const size = plugin.vmConfiguration.length;
    const starts = !again || this.profile.startsReplacement;
    if (starts && vm.call("proxy_on_vm_start", this, [id, size]) === 0) return "proxy_on_vm_start";
    this.phase = "on_configure";
    const configured = plugin.withConfiguration(() =>
      vm.call("proxy_on_configure", this, [id, plugin.configuration.length]),
    );
    this.phase = "on_tick";
    return configured === 0 ? "proxy_on_configure" : undefined;
  }

  override headerMap(type: MapType, toChange: boolean): HeaderMap | Refusal {
    if (this.#logged) return loggedMap(this.#logged, type, toChange);
    const { mapReads, title } = this.profile;
    if (!mapReads.includes(type)) return super.headerMap(type, toChange);
    const what = `${mapNames[type]} cannot be used in ${this.phase}: a root context has no stream`;
    if (toChange) return new Misuse(Status.BadArgument, what);
    throw new HostFault(`${what}; ${title} reads where nothing is, and its worker crashes (SIGSEGV)`);
  }

  override sendLocalReply(): Refusal | undefined {
    if (this.profile.localReplies === "envoy") return undefined;
    throw new HostFault(
      `proxy_send_local_response in ${this.phase}: a root context has no stream; ${this.profile.title} writes where ` +
        "nothing is, and its worker crashes (SIGSEGV)",
    );
  }

  /** Whether it ticks. */
  get ticks(): boolean {
    return this.#cancelTick !== undefined;
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

  /** A queue that it registered has got an item. */
  queueReady(queue: number): void {
    this.vm.call("proxy_on_queue_ready", this, [this.id, queue]);
  }

  /** Hears of a stream that has ended: the filter is an access logger. */
  log(stream: LoggedStream): void {
    this.#logged = stream;
    this.vm.call("proxy_on_log", this, [this.id]);
    this.#logged = undefined;
  }

  override property(path: readonly ByteString[]): PropertyValue | Refusal {
    if (!this.#logged) return super.property(path);
    const { logged: stream, given } = this.#logged;
    return property(path, { plugin: this.plugin.options, given, stream });
  }

  /** Has a name resolved. The answer may come at once; the number is known to the filter by then. */
  resolveDns(name: string, token: number): Refusal | undefined {
    const { proxy, limits } = this.plugin.host;
    const bytes = name.length + CALL_BYTES;
    const full = proxy.clusters.hold(bytes, limits);
    if (full) return full;
    proxy.clusters.dns.resolve(name, (answer) => {
      proxy.clusters.release(bytes);
      if (this.vm.contexts.get(this.id) === this) this.callWith(answer, "envoy_on_resolve_dns", [token]);
    });
    return undefined;
  }

  /** Whether it serves new streams of a plugin that is equal to this one. */
  serves(identity: string): boolean {
    return this.#users > 0 && this.plugin.identity === identity;
  }

  /** One more plugin or stream uses it. */
  retain(): void {
    this.#users++;
  }

  /** A plugin or stream uses it no more. With the last one it ends; if it answers false, when it calls `done`. */
  release(): void {
    if (--this.#users) return;
    if (!this.profile.endsRoots) return this.#remove();
    if (this.vm.call("proxy_on_done", this, [this.id]) !== 0) return this.#delete();
    this.#donePending = true;
    leftovers.add(this.#leftover);
    this.#dropVmIfUnused();
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

  /** Nothing happens to it any more. */
  stop(): void {
    this.setTickPeriod(0);
    this.inbox.cancel();
    leftovers.delete(this.#leftover);
  }

  readonly #leftover = (): string =>
    `root context ${this.id} was to end, and is not done: its onDone answered false, and nothing has called done()`;

  #delete(): void {
    this.setTickPeriod(0);
    this.vm.call("proxy_on_delete", this, [this.id]);
    this.#remove();
  }

  #remove(): void {
    this.vm.contexts.delete(this.id);
    this.stop();
    this.#dropVmIfUnused();
  }

  // A root context that waits for its end does not keep the VM: Envoy drops both, and there is no on_delete.
  #dropVmIfUnused(): void {
    const left = [...this.vm.contexts.values()];
    if (left.every((context) => context instanceof RootContext && context.#donePending)) this.plugin.dropVm(this.vm);
  }
}

/** nginx's id of a filter: a hash of its name, its configuration, and an address, which here is 0. */
function hashed({ options, configuration }: Plugin): number {
  return crc32(joinBytes([toBytes(options.name), configuration, toBytes("0")]));
}
