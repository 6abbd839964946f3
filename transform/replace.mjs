// Functions of the SDK that do something else in this filter.

import { SDK } from "./contexts.mjs";

/** Gives what puts another body into a function, if that is there: `name` is its file and its own. */
export function replacer(module, binaryen) {
  return (name, body) => {
    const replaced = module.getFunction(SDK + name);
    if (replaced) binaryen.Function.setBody(replaced, body);
  };
}
