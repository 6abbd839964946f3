// The modules of a command line, before a proxy is started with them.

import { checkValid } from "../module/load.ts";
import { inspectModule } from "../module/module.ts";
import { readBytes } from "../module/read-file.ts";

/** Throws a sentence when one of them is not there or no module. */
export async function checkModules(modules: readonly { readonly module: string }[]): Promise<void> {
  for (const { module } of modules) await checkValid(await readBytes(module), module);
}

/** What to know of those that HTTP passes by, a sentence for each. */
export async function passedByTexts(modules: readonly { readonly module: string }[]): Promise<string[]> {
  const texts = await Promise.all(modules.map(({ module }) => passedByText(module)));
  return texts.filter((text) => text !== undefined);
}

async function passedByText(module: string): Promise<string | undefined> {
  const { exports } = inspectModule(await readBytes(module));
  const has = (names: RegExp): boolean => exports.some(({ name }) => names.test(name));
  if (has(/^proxy_on_((request|response)_|done$|log$)/)) return undefined;
  if (has(/^proxy_on_(new_connection|(downstream|upstream)_(data|connection_close))$/)) {
    return `${module} has callbacks for TCP connections only: HTTP passes it by; Envoy runs it as a network filter`;
  }
  return `${module} has no callback for HTTP: requests and responses pass it by`;
}
