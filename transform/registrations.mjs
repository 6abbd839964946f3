// What a filter registers: contexts of one kind or of both, one root context or several.

import { bases, SDK } from "./contexts.mjs";
import { childrenOf, functionInfos, infoOf } from "./expressions.mjs";

const REGISTER = `${SDK}registry/registerRootContext`;

/** Whether `registerRootContext` runs once at most: in one call, outside of loops, at the top level of a file. */
export function registersOneRootContext(module, binaryen) {
  if (!module.getFunction(REGISTER) || typeof module.getNumElementSegments !== "function") return false;
  if (isInTable(module, binaryen)) return false;
  const calls = functionInfos(module, binaryen)
    .filter((info) => !info.module && info.body)
    .flatMap((info) => callsIn(binaryen, info));
  return calls.length === 1 && calls[0] === true;
}

/** Whether the function is a value, which anybody may call. */
function isInTable(module, binaryen) {
  for (let i = 0; i < module.getNumElementSegments(); i++) {
    const segment = binaryen.getElementSegmentInfo(module.getElementSegmentByIndex(i));
    if (segment.data.includes(REGISTER)) return true;
  }
  return false;
}

/** Of each call in a function whether it runs once at most. What is not known may be one that does not. */
function callsIn(binaryen, { name, body }) {
  const children = childrenOf(binaryen);
  const calls = [];
  // asc puts what stands at the top level of a file into a function that runs once.
  const look = (expression, once) => {
    const info = infoOf(binaryen, expression);
    const inside = children[info.id]?.(info);
    if (!inside) calls.push(false);
    if (info.id === binaryen.CallId && info.target === REGISTER) calls.push(once);
    for (const child of inside ?? []) if (child) look(child, once && info.id !== binaryen.LoopId);
  };
  look(body, /^start:(~lib\/)?[^~]*$/.test(name));
  return calls;
}

/** Whether the module makes contexts for HTTP and for TCP. */
export function hasBothKinds(instances) {
  return ["Http", "Stream"].every(
    (kind) =>
      instances.has(`${SDK}registry/register${kind}Context`) ||
      [...instances].some(
        ([name, element]) => name.endsWith(`#create${kind}Context`) && !bases.has(element.parent.internalName),
      ),
  );
}
