// What `proxy-wasm serve` is told on the command line.

import type { FilterFlags } from "../filter-flags.ts";

/** What the flags give. */
export interface ServeFlags extends FilterFlags {
  readonly trace?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly watch: boolean;
  /** The inspector's port; `true` takes a free one. */
  readonly inspect?: number | true;
}
