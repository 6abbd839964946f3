// Questions that the SDK's own code asks while a filter runs, and whose answer is known when it is compiled: the optimizer
// drops what nobody comes to then.

import { SDK } from "./contexts.mjs";
import { hasBothKinds, registersOneRootContext } from "./registrations.mjs";
import { replacer } from "./replace.mjs";

/** Writes the answers in; `shared` is the number of the class whose one context stands for all, 0 for none. */
export function answerQuestions(module, binaryen, instances, called, shared) {
  const replace = replacer(module, binaryen);
  if (shared) shareContext(module, binaryen, replace, shared);
  if (registersOneRootContext(module, binaryen)) replace("registry/chooseRootContext", module.unreachable());
  if (!hasBothKinds(instances)) {
    replace("registry/hasBothKinds", module.i32.const(0));
    replace("registry/decide", module.unreachable());
  }
  // Whether a stream is over is asked by what answers it, and told in the callbacks of its end.
  const answering =
    ["closeStream", "send"].some((name) => instances.has(`${SDK}stream/${name}`)) &&
    ["onDone", "onLog"].some((method) => called.has(method));
  if (!answering) replace("flow/isAnswered", module.i32.const(0));
  if (!instances.has(`${SDK}stream/continueStream`)) replace("flow/isContinued", module.i32.const(0));
}

/** Has one context stand for all: the proxy does not announce streams, nor their end. */
function shareContext(module, binaryen, replace, shared) {
  const { i32, none, createType } = binaryen;
  replace("callback/sharedClass", module.i32.const(shared));
  module.removeExport("proxy_on_delete");
  // ngx_wasm_module insists on this one.
  module.removeExport("proxy_on_context_create");
  module.addFunction("ignore", createType([i32, i32]), none, [], module.nop());
  module.addFunctionExport("ignore", "proxy_on_context_create");
}
