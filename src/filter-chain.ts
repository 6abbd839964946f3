// Several filters of one proxy in a row: a request passes them in order, its response in reverse.

import type { Filter } from "./filter.ts";

/** Filters in a row. Streams pass all of them; traces say which of them did what. */
export type FilterChain = Pick<
  Filter,
  "clock" | "proxy" | "random" | "request" | "stream" | "open" | "connection" | "openConnection"
>;

/**
 * Puts filters in a row. They must belong to one proxy (`loadFilter(…, { proxy })`), since streams and timers of all of
 * them run on one clock; limits of the connection are those of the first.
 */
export function chain(filters: readonly Filter[]): FilterChain {
  const [first, ...following] = filters;
  if (!first) throw new TypeError("a chain needs a filter");
  if (following.some((filter) => filter.proxy !== first.proxy)) {
    throw new TypeError(
      "the filters of a chain belong to one proxy: const proxy = new ProxyState(); loadFilter(…, { proxy }) for each",
    );
  }
  return first.before(following);
}
