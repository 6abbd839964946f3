// Which contexts there are, and who makes new ones.

/// <reference path="./runtime.d.ts" />

import { LogLevel, Status } from "./abi";
import { sharedClass } from "./callback";
import { countContexts } from "./collect";
import { assignId, Context } from "./context";
import { proxy_get_property, proxy_log } from "./env";
import { HttpContext } from "./http-context";
import { answerData, answerSize, answerText, beginCall, write, written } from "./memory";
import { RootContext } from "./root-context";
import { StreamContext } from "./stream-context";
import { sizeOf } from "./utf8";

// What an author registers. A function is static data, so its address will do; a managed variable would make the
// collector learn to visit functions.
/** `(parent: u32) => Context`: makes the context that the host announces; `parent` is 0 for a root context. */
let factory: usize = 0;
/** `() => HttpContext`: what `registerHttpContext` was given. */
let httpFactory: usize = 0;
/** `() => StreamContext`: what `registerStreamContext` was given. */
let streamFactory: usize = 0;

/**
 * Says what makes the context of each HTTP stream, a new one for each, for a filter that needs no configuration. Call it
 * at the top level of the entry file.
 */
export function registerHttpContext(create: () => HttpContext): void {
  httpFactory = changetype<usize>(create);
  use((parent: u32) => (parent ? changetype<() => HttpContext>(httpFactory)() : null));
}

/**
 * Says what makes the context of each TCP connection, a new one for each, for a filter that needs no configuration. Call
 * it at the top level of the entry file. A module may serve both HTTP and TCP.
 */
export function registerStreamContext(create: () => StreamContext): void {
  streamFactory = changetype<usize>(create);
  use((parent: u32) => (parent ? changetype<() => StreamContext>(streamFactory)() : null));
}

function use(create: (parent: u32) => Context | null): void {
  factory = changetype<usize>(create);
}

class RootRegistration {
  constructor(
    readonly rootId: string,
    readonly create: () => RootContext,
    readonly next: RootRegistration | null,
  ) {}
}

let registrations: RootRegistration | null = null;

/**
 * Says what makes the root context of each plugin configuration with this root id (`root_id` in Envoy, `pluginName`
 * in Istio), a new one for each. A module with a single registration uses it for every root id; with several, one that
 * is not registered is refused. Call it at the top level of the entry file.
 */
export function registerRootContext(rootId: string, create: () => RootContext): void {
  registrations = new RootRegistration(rootId, create, registrations);
  use((parent: u32) => (parent ? makeStream(changetype<RootContext>(find(parent))) : makeRootContext()));
}

/** The stream's context, of the one kind that the module has. */
function makeStream(root: RootContext): Context | null {
  const http = root.createHttpContext();
  return http !== null ? http : root.createStreamContext();
}

/** Refuses its configuration, so that the proxy does not take the filter. */
class UnknownRootContext extends RootContext {
  override onConfigure(_configurationSize: u32): bool {
    return false;
  }
}

function makeRootContext(): RootContext {
  const newest = registrations!;
  return newest.next === null ? newest.create() : chooseRootContext();
}

/** Asks the host which one is meant. transform.mjs takes this out of a module with a single registration. */
function chooseRootContext(): RootContext {
  const newest = registrations!;
  beginCall();
  const path = write(changetype<usize>("plugin_root_id"));
  const answered = proxy_get_property(path, written, answerData, answerSize) == Status.Ok;
  const rootId = answered ? answerText() : "";
  let known = "";
  for (let entry: RootRegistration | null = newest; entry !== null; entry = entry.next) {
    if (entry.rootId == rootId) return entry.create();
    known += ' "' + entry.rootId + '"';
  }
  beginCall();
  const message = 'no root context is registered for the root id "' + rootId + '"; registered are:' + known;
  const text = write(changetype<usize>(message));
  proxy_log(LogLevel.Critical, text, written);
  return new UnknownRootContext();
}

// Every live context, in a hash table that chains through the contexts themselves. Hosts count ids up, so the chains
// hold hardly ever more than one. No managed variable is used here, because each costs a place on the shadow stack.
let buckets = sharedClass() ? changetype<StaticArray<Context | null>>(0) : newBuckets(16);
let mask: u32 = 15;
let live: u32 = 0;

/**
 * Stands for an id that is not known, after its deletion for instance: an object of no class, whose callbacks are
 * those of the base classes, which let everything pass. Its header lies below it, as every object's.
 */
const stray: usize = memory.data(64, 16) + 32;
// Where one context stands for all, it is that one.
if (sharedClass()) store<u32>(stray - 8, sharedClass());

/**
 * The address of the context of this id. The caller takes it for the kind that the running callback belongs to: should
 * it be of another kind, calling it is harmless, since asc finds overrides by the object's class and falls back to the
 * method of the kind, which does nothing.
 */
export function find(id: u32): usize {
  if (sharedClass()) return stray;
  const context = seek(id);
  if (hasBothKinds() && context && isUndecided(context)) return decide(context, false);
  return context ? context : stray;
}

/** The address of the context of this id, 0 when there is none. */
function seek(id: u32): usize {
  let context = load<usize>(bucketOf(id));
  while (context && idOf(context) != id) context = nextOf(context);
  return context;
}

/** Makes the context of this id. */
export function create(id: u32, parent: u32): void {
  if (!factory) return;
  assignId(id);
  if (parent && hasBothKinds()) return add(changetype<usize>(new UndecidedContext(parent)), id);
  add(changetype<usize>(changetype<(parent: u32) => Context | null>(factory)(parent)), id);
}

function add(context: usize, id: u32): void {
  if (!context) return;
  if (idOf(context) != id) throw new Error("not a new context: return a new one each time");
  put(context, id);
  if (++live > mask) grow();
  if (ASC_RUNTIME == 1) countContexts(live);
}

// A host does not say whether the stream that it announces is one of HTTP or of TCP. Where a module has contexts of both
// kinds, a stream's context is made when its first callback tells: `proxy_on_new_connection`, or any other.

/** Whether the module has contexts of both kinds. transform.mjs makes this `false` where it has not. */
function hasBothKinds(): bool {
  return true;
}

/** Stands for a stream until it is known of which kind it is. */
class UndecidedContext extends Context {
  constructor(readonly parent: u32) {
    super();
  }
}

function isUndecided(context: usize): bool {
  // The class's number stands in the object's header.
  return load<u32>(context - 8) == idof<UndecidedContext>();
}

/** Says that the stream of this id is a TCP connection. */
export function beginConnection(id: u32): void {
  const context = seek(id);
  if (hasBothKinds() && context && isUndecided(context)) decide(context, true);
}

/** Puts a context of the right kind in place of an undecided one; gives its address. */
function decide(undecided: usize, isConnection: bool): usize {
  const id = idOf(undecided);
  const parent = changetype<UndecidedContext>(undecided).parent;
  remove(id);
  assignId(id);
  const context = changetype<usize>(isConnection ? makeConnection(parent) : makeHttpStream(parent));
  add(context, id);
  return context ? context : stray;
}

function makeHttpStream(parent: u32): Context | null {
  if (registrations !== null) return changetype<RootContext>(find(parent)).createHttpContext();
  return httpFactory ? changetype<() => HttpContext>(httpFactory)() : null;
}

function makeConnection(parent: u32): Context | null {
  if (registrations !== null) return changetype<RootContext>(find(parent)).createStreamContext();
  return streamFactory ? changetype<() => StreamContext>(streamFactory)() : null;
}

/** Forgets the context of this id. */
export function remove(id: u32): void {
  let holder = changetype<usize>(buckets);
  let link = bucketOf(id);
  let context = load<usize>(link);
  while (context && idOf(context) != id) {
    holder = context;
    link = context + offsetof<Context>("nextInRegistry");
    context = load<usize>(link);
  }
  if (!context) return;
  live--;
  if (ASC_RUNTIME == 1) countContexts(live);
  const next = nextOf(context);
  store<usize>(link, next);
  __link(holder, next, true);
}

function bucketOf(id: u32): usize {
  return changetype<usize>(buckets) + ((id & mask) << alignof<usize>());
}

function idOf(context: usize): u32 {
  return load<u32>(context, offsetof<Context>("ownId"));
}

function nextOf(context: usize): usize {
  return load<usize>(context, offsetof<Context>("nextInRegistry"));
}

function put(context: usize, id: u32): void {
  const bucket = bucketOf(id);
  const next = load<usize>(bucket);
  store<usize>(context, next, offsetof<Context>("nextInRegistry"));
  __link(context, next, false);
  store<usize>(bucket, context);
  __link(changetype<usize>(buckets), context, true);
}

function newBuckets(count: u32): StaticArray<Context | null> {
  const size = count << alignof<usize>();
  const buckets = changetype<StaticArray<Context | null>>(__new(size, idof<StaticArray<Context | null>>()));
  if (ASC_RUNTIME != 2) memory.fill(changetype<usize>(buckets), 0, size);
  return buckets;
}

function grow(): void {
  const old = changetype<usize>(buckets);
  const end = old + sizeOf(old);
  buckets = newBuckets((mask + 1) << 1);
  mask = (mask << 1) | 1;
  for (let bucket = old; bucket < end; bucket += sizeof<usize>()) {
    for (let context = load<usize>(bucket); context;) {
      const next = nextOf(context);
      put(context, idOf(context));
      context = next;
    }
  }
}
