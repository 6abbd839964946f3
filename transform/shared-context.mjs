// Finds out whether one context can stand for every stream of a filter: the usual filter, which keeps nothing of its
// streams, needs none of its own for each. Then the proxy does not announce streams to it, nor their end.

import { NodeKind } from "assemblyscript";

import { bases, isContext, SDK } from "./contexts.mjs";

/** What only the context of one stream can do: these functions keep something for it, or hear of its end. */
const keeping = [
  "registry/registerRootContext",
  "registry/registerStreamContext",
  "stream/continueStream",
  "dns/startDns",
  "http-call/startHttpCall",
  "http-call/countHttpCalls",
  "grpc/startGrpcCall",
  "grpc/startGrpcStream",
  "timers/startTimer",
  "queues/subscribeTexts",
  "queues/subscribeBytes",
].map((name) => SDK + name);

/** Callbacks of a stream's end, and the one that a host calls for the root context too. */
const own = ["onDone", "onLog", "onDelete", "onForeignFunction"];

/**
 * The number of the class whose one context can stand for all, 0 when there is none. `overridden` are the callbacks that
 * the classes of the filter override.
 */
export function sharedClass(program, overridden) {
  const instances = program.instancesByName;
  if (keeping.some((name) => instances.has(name)) || own.some((name) => overridden.has(name))) return 0;
  const name = registeredClass(program.sources);
  if (!name) return 0;
  const made = [...instances.values()].filter((element) => element.constructorInstance && isAuthors(element));
  const shared = made.find((element) => element.prototype.name === name);
  if (!shared) return 0;
  const line = ancestors(shared);
  if (!made.every((element) => line.includes(element))) return 0;
  return line.every(keepsNothing) ? shared.id : 0;
}

/** Whether this is a context class of the filter's author. */
function isAuthors(element) {
  return isContext(element) && !element.internalName.startsWith(SDK);
}

/** A class and those that it extends, up to the SDK's. */
function ancestors(element) {
  const line = [];
  for (let type = element; !bases.has(type.internalName); type = type.base) line.push(type);
  return line;
}

/** Whether a context of this class has nothing of its own, and no reference to it leaves its methods. */
function keepsNothing({ base, nextMemoryOffset, prototype }) {
  if (bases.has(base.internalName) && base.internalName !== `${SDK}http-context/HttpContext`) return false;
  return nextMemoryOffset === base.nextMemoryOffset && !prototype.constructorPrototype && !leaks(prototype.declaration);
}

/** Whether `this` stands in the node other than before a point. */
function leaks(node) {
  if (node.kind === NodeKind.This) return true;
  const inside = node.kind === NodeKind.PropertyAccess && node.expression.kind === NodeKind.This ? [] : children(node);
  return inside.some(leaks);
}

function children(node) {
  return Object.entries(node)
    .filter(([name]) => name !== "range")
    .flatMap(([, value]) => value)
    .filter((value) => typeof value?.kind === "number" && value.range);
}

/**
 * The name of the class that is made in the filter's one `registerHttpContext(() => new Name())`, when that stands at
 * the top level and the class is made nowhere else.
 */
function registeredClass(sources) {
  const texts = sources.filter(({ internalPath }) => !internalPath.startsWith(SDK)).map(({ text }) => text);
  const count = (pattern) => texts.reduce((sum, text) => sum + (text.match(pattern)?.length ?? 0), 0);
  const statement = /^registerHttpContext\(\s*\(\)(?:\s*:\s*\w+)?\s*=>\s*new (\w+)\(\)\s*,?\s*\)/m;
  const name = texts.map((text) => statement.exec(text)?.[1]).find(Boolean);
  if (!name || count(/\bregisterHttpContext\s*\(/g) !== 1) return undefined;
  return count(new RegExp(`\\bnew\\s+${name}\\b`, "g")) === 1 ? name : undefined;
}
