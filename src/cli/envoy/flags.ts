// What `proxy-wasm envoy` is told on the command line.

import type { FilterFlags } from "../filter-flags.ts";

/** What the flags give. */
export interface EnvoyFlags extends FilterFlags {
  readonly print?: boolean;
  readonly watch: boolean;
  readonly quiet?: boolean;
}
