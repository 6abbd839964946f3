// What is probably wrong with a filter that compiles.

import { bases, isContext, SDK } from "./contexts.mjs";
import { headerReaders } from "./object-headers.mjs";

/** A sentence or two for each. */
export function* warningsOf(instances, sources) {
  const readers = instances.has(`${SDK}heap/newObject`) ? headerReaders(sources) : [];
  if (readers.length) {
    yield (
      `object headers (rt/common) are read in ${readers.join(", ")}. The runtime "proxy-wasm" lays them out ` +
      `otherwise than asc's own ones, so this may go wrong without a word; "runtime": "incremental" fits.`
    );
  }
  if (!instances.has(`${SDK}registry/use`)) {
    yield (
      "nothing is registered, so the filter does nothing. Call registerHttpContext, registerStreamContext " +
      "or registerRootContext at the top level of the entry file."
    );
  }
  for (const idle of idleContexts(instances)) {
    yield (
      `class ${idle} overrides no callback, so the proxy never calls it. ` +
      `Callbacks are methods such as onRequestHeaders; "override" before the name makes asc check it.`
    );
  }
}

/** The names of the author's classes that are constructed and neither override a callback nor inherit one that does. */
function* idleContexts(instances) {
  const owners = new Set(
    [...instances].filter(([name]) => /#(on|create)[A-Z]\w*$/.test(name)).map(([, f]) => f.parent),
  );
  const extended = new Set([...instances.values()].map((element) => element.base));
  for (const element of instances.values()) {
    const name = element.internalName;
    if (!element.constructorInstance || extended.has(element)) continue;
    if (!isContext(element) || name.startsWith("~lib/proxy-wasm/")) continue;
    let type = element;
    while (!bases.has(type.internalName) && !owners.has(type)) type = type.base;
    if (bases.has(type.internalName)) yield name.replace(/<.*/, "").replace(/.*\//, "");
  }
}
