// Functions that asc writes into every module, made shorter.

import { SDK } from "./contexts.mjs";

/**
 * Makes the look at the shadow stack, which every function with objects takes, so short that the optimizer puts it where
 * it is called: a tenth of the time of a small filter.
 */
export function shortenStackCheck(module, binaryen) {
  const name = "~stack_check";
  const check = module.getFunction(name);
  if (!check) return;
  const { none, i32, createType } = binaryen;
  const abort = `${SDK}abort/abort`;
  const nothing = Array.from({ length: 4 }, () => module.i32.const(0));
  const stop = module.getFunction(abort) ? module.call(abort, nothing, none) : module.unreachable();
  module.addFunction("~stack_overflow", createType([]), none, [], stop);
  const [pointer, end] = ["~lib/memory/__stack_pointer", "~lib/memory/__data_end"].map((g) =>
    module.global.get(g, i32),
  );
  binaryen.Function.setBody(check, module.if(module.i32.lt_s(pointer, end), module.call("~stack_overflow", [], none)));
}

/**
 * Makes the constructor that every object's own one calls do nothing: an object is there by then, unless somebody asks
 * for a plain one.
 */
export function dropObjectConstructor(module, binaryen, sources) {
  const constructor = module.getFunction("~lib/object/Object#constructor");
  if (!constructor || sources.some(({ text }) => /\bnew\s+Object\b/.test(text))) return;
  binaryen.Function.setBody(constructor, module.local.get(0, binaryen.i32));
}
