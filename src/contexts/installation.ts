// A filter as a proxy has it: one module with one configuration, in each thread that it runs on.
// Source: proxy-wasm-cpp-host src/wasm.cc (createWasm, canary), Envoy source/extensions/common/wasm/plugin.cc.

import type { Plugin } from "./plugin.ts";
import type { ProxyState } from "./proxy-state.ts";
import type { Thread } from "./thread.ts";

/** Makes the plugins of a filter. */
export interface PluginFactory {
  /** Starts a plugin in a thread; throws when it refuses. */
  start(thread: Thread, configuration: Uint8Array): Plugin;
  /** What equal plugins of equal modules have in common. */
  identify(configuration: Uint8Array): string;
}

/** The plugins of a filter, by thread. */
export class Installation {
  readonly proxy: ProxyState;
  readonly #factory: PluginFactory;
  readonly #plugins: Map<Thread, Plugin>;
  #configuration: Uint8Array;

  /** Starts it in the main thread, where there is one, and in the first worker. */
  constructor(proxy: ProxyState, configuration: Uint8Array, factory: PluginFactory) {
    this.proxy = proxy;
    this.#configuration = configuration;
    this.#factory = factory;
    this.#tryOut(configuration);
    const threads = proxy.mainThread ? [proxy.mainThread, proxy.worker(0)] : [proxy.worker(0)];
    this.#plugins = this.#startIn(threads, configuration);
  }

  /** The plugin in this thread, started when it was not yet. */
  plugin(thread: Thread): Plugin {
    let plugin = this.#plugins.get(thread);
    if (!plugin) this.#plugins.set(thread, (plugin = this.#factory.start(thread, this.#configuration)));
    return plugin;
  }

  /** The first worker in which it does not run. */
  get nextWorker(): Thread {
    for (let i = 0; ; i++) if (!this.#plugins.has(this.proxy.worker(i))) return this.proxy.worker(i);
  }

  /** Gives it another configuration: new root contexts, while open streams keep theirs. */
  reconfigure(configuration: Uint8Array): void {
    this.#tryOut(configuration);
    const started = this.#startIn([...this.#plugins.keys()], configuration);
    this.#configuration = configuration;
    const old = [...this.#plugins.values()];
    for (const [thread, plugin] of started) this.#plugins.set(thread, plugin);
    for (const plugin of old) plugin.end();
  }

  /** Removes it from every thread. */
  close(): void {
    for (const plugin of this.#plugins.values()) plugin.end();
  }

  #startIn(threads: readonly Thread[], configuration: Uint8Array): Map<Thread, Plugin> {
    const started = new Map<Thread, Plugin>();
    try {
      for (const thread of threads) started.set(thread, this.#factory.start(thread, configuration));
    } catch (error) {
      for (const plugin of started.values()) plugin.end();
      throw error;
    }
    return started;
  }

  /** Envoy's canary: the filter starts in a VM of its own, which is dropped without a word. Once for equal plugins. */
  #tryOut(configuration: Uint8Array): void {
    const { mainThread, triedOut } = this.proxy;
    const identity = this.#factory.identify(configuration);
    if (!mainThread || triedOut.has(identity)) return;
    const plugin = this.#factory.start(this.proxy.newThread(), configuration);
    plugin.dropVm(plugin.root.vm);
    triedOut.add(identity);
  }
}
