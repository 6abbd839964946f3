// Takes needless entries off the shadow stack. asc writes every object that a function hands to another one there, so
// that the collector finds it, also where it stands there already: a parameter is in the caller's entries, a variable
// that is set once in an entry of its own. A function without entries needs no frame. That is a tenth of the code of a
// small filter, and more of its time.

import { SDK } from "./contexts.mjs";
import { childrenOf, functionInfos, infoOf } from "./expressions.mjs";

const STACK_POINTER = "~lib/memory/__stack_pointer";
const STACK_CHECK = "~stack_check";
/** Nothing comes after it. */
const ABORT = `${SDK}abort/abort`;
/** What collects: our runtime, and everything in asc's own one. Of another runtime nobody knows. */
const COLLECTING = /^~lib\/proxy-wasm\/assembly\/heap\/collect$|^~lib\/rt\/(itcms|tlsf)\//;
const COLLECTORS = [`${SDK}heap/collect`, "~lib/rt/itcms/step"];
const ENTRY_SIZE = 4;
const MOST_STORED = 32;

/** Trims every function of a program. `sharesContext`: the context of a callback is no object of the heap. */
export function trimFrames(module, binaryen, program, sharesContext) {
  if (typeof module.getNumFunctions !== "function" || typeof binaryen.Block?.setChildAt !== "function") return;
  if (!COLLECTORS.some((name) => module.getFunction(name))) return;
  const children = childrenOf(binaryen);
  const frames = functionInfos(module, binaryen)
    .filter((info) => !info.module && info.body)
    .map((info) => {
      const objects = objectParameters(program.instancesByName.get(info.name)?.signature);
      return new Frame(module, binaryen, children, info, objects, sharesContext);
    });
  const collecting = collectingFunctions(frames);
  for (const frame of frames) frame.trim(collecting);
}

/** Of each parameter whether it is an object, which the caller has entered; none of a function that is not known. */
function objectParameters(signature) {
  if (!signature) return [];
  const types = signature.thisType ? [signature.thisType, ...signature.parameterTypes] : signature.parameterTypes;
  return types.map((type) => type.isManaged);
}

/** Tells of a function's name whether it may lead to a collection. A host call may: the host asks for memory. */
function collectingFunctions(frames) {
  const harmless = new Set(frames.filter(({ name }) => !COLLECTING.test(name)).map(({ name }) => name));
  for (let size = Infinity; harmless.size < size;) {
    size = harmless.size;
    for (const frame of frames) if (!frame.callees.every((name) => harmless.has(name))) harmless.delete(frame.name);
  }
  return (name) => !harmless.has(name);
}

/** What a function does with the shadow stack. */
class Frame {
  /** For each local how often it is set, and at which offset of the frame its value is kept. */
  #sets = new Map();
  /** Statements that write an operand to the frame: the block, the place in it, the statement and the operand. */
  #operands = [];
  /** Those that write a variable to it. */
  #variables = [];
  /** Those that make and undo the frame, each with what makes the same for another size. */
  #bounds = [];
  /** Every call, and when it happens: after its operands. */
  #calls = [];
  #time = 0;
  /** When the loop began that is being looked at, the outermost one. */
  #loop;
  #isKnown = true;

  constructor(module, binaryen, children, info, objects, sharesContext) {
    Object.assign(this, { module, binaryen, children, objects, sharesContext });
    this.name = info.name;
    this.parameters = binaryen.expandType(info.params).length;
    this.#look(info.body);
  }

  /** The names of the functions that it calls; `undefined` for one that is not known. */
  get callees() {
    return this.#isKnown ? this.#calls.map(({ target }) => target).filter((target) => target !== ABORT) : [undefined];
  }

  /** `collects` tells of the name of a function whether it may lead to a collection. */
  trim(collects) {
    if (!this.#isKnown || !this.#bounds.length) return;
    const dangers = this.#calls.filter(({ target }) => collects(target)).map(({ time }) => time);
    const stores = [];
    for (const { block, at, store, set, since } of this.#variables) {
      if (!set || block === undefined || dangers.some((time) => time > since)) stores.push(store);
      else this.#replace(block, at, this.module.local.set(set.index, set.value));
    }
    for (const { block, at, store, value, time, call } of this.#operands) {
      const isLost = call.target === ABORT || dangers.some((danger) => danger > time && danger <= call.time);
      if (isLost && !this.#isKept(value)) stores.push(store);
      else this.#replace(block, at, this.module.nop());
    }
    // What is left moves together.
    const offsets = [...new Set(stores.map((store) => this.#infoOf(store).offset))].sort((a, b) => a - b);
    for (const store of stores) {
      this.binaryen.Store.setOffset(store, offsets.indexOf(this.#infoOf(store).offset) * ENTRY_SIZE);
    }
    for (const { block, at, make } of this.#bounds) {
      this.#replace(block, at, offsets.length ? make(offsets.length * ENTRY_SIZE) : this.module.nop());
    }
  }

  #infoOf(expression) {
    return infoOf(this.binaryen, expression);
  }

  #replace(block, at, expression) {
    this.binaryen.Block.setChildAt(block, at, expression);
  }

  /** Whether this value is found without the entry. */
  #isKept(value) {
    const { binaryen } = this;
    const info = this.#infoOf(value);
    if (info.id === binaryen.ConstId) return true;
    if (info.id !== binaryen.LocalGetId) return false;
    const sets = this.#sets.get(info.index);
    if (info.index < this.parameters) return !sets && this.objects[info.index] === true;
    return sets?.length === 1 && (sets[0].isStatic || (sets[0].isEntry && !sets[0].inCall));
  }

  /**
   * Notes what an expression does. `block` and `at` say of which block it is a child, `call` of which call it is an
   * operand, `inCall` whether it is inside of one.
   */
  #look(expression, { block, at, call, inCall = false } = {}) {
    const { binaryen } = this;
    const info = this.#infoOf(expression);
    const operand = this.#operandOf(info);
    if (operand) {
      this.#look(operand, { inCall });
      const place = { block: expression, at: 1, store: info.children[1] };
      this.#operands.push({ ...place, value: operand, time: this.#time, call: call ?? { time: Infinity } });
      return;
    }
    const make = this.#boundOf(info);
    if (make) {
      if (block === undefined) this.#isKnown = false;
      this.#bounds.push({ block, at, make });
      return;
    }
    if (info.id === binaryen.StoreId && this.#isStackPointer(info.ptr)) {
      const value = this.#infoOf(info.value);
      const set = value.id === binaryen.LocalSetId ? value : undefined;
      if (set) this.#noteSet(set, true, inCall);
      else this.#look(info.value, { inCall });
      this.#variables.push({ block, at, store: expression, set, since: this.#loop ?? this.#time });
      return;
    }
    if (info.id === binaryen.LocalSetId) return this.#noteSet(info, false, inCall);
    const inside = this.children[info.id]?.(info);
    if (!inside) {
      this.#isKnown = false;
      return;
    }
    const isCall = info.id === binaryen.CallId || info.id === binaryen.CallIndirectId;
    const outermost = info.id === binaryen.LoopId && this.#loop === undefined;
    if (outermost) this.#loop = this.#time;
    const made = isCall ? { target: info.id === binaryen.CallId ? info.target : undefined } : undefined;
    for (const [i, child] of inside.entries()) {
      if (!child) continue;
      const place = info.id === binaryen.BlockId ? { block: expression, at: i } : {};
      this.#look(child, { ...place, call: made, inCall: inCall || isCall });
    }
    if (outermost) this.#loop = undefined;
    if (made) this.#calls.push(Object.assign(made, { time: ++this.#time }));
  }

  #noteSet({ index, value }, isEntry, inCall) {
    const sets = this.#sets.get(index) ?? [];
    const { id, target } = this.#infoOf(value);
    const isContext = id === this.binaryen.CallId && target === `${SDK}registry/find`;
    this.#sets.set(index, [...sets, { isEntry, inCall, isStatic: isContext && this.sharesContext }]);
    this.#look(value, { inCall });
  }

  /** The operand that a block writes to the frame: it sets a local, stores that, and gives it. */
  #operandOf({ id, children }) {
    const { binaryen } = this;
    if (id !== binaryen.BlockId || children.length !== 3) return undefined;
    const [set, store, get] = children.map((child) => this.#infoOf(child));
    if (set.id !== binaryen.LocalSetId || set.isTee || get.id !== binaryen.LocalGetId) return undefined;
    if (store.id !== binaryen.StoreId || !this.#isStackPointer(store.ptr)) return undefined;
    const stored = this.#infoOf(store.value);
    if (stored.id !== binaryen.LocalGetId) return undefined;
    return set.index === get.index && set.index === stored.index ? set.value : undefined;
  }

  /** Of an expression that makes the frame, fills it with zeros, checks it or undoes it: what makes it for a size. */
  #boundOf(info) {
    const { binaryen, module } = this;
    const pointer = () => module.global.get(STACK_POINTER, binaryen.i32);
    if (info.id === binaryen.GlobalSetId && info.name === STACK_POINTER) {
      const { op } = this.#infoOf(info.value);
      const move = op === binaryen.SubInt32 ? module.i32.sub : module.i32.add;
      return (size) => module.global.set(STACK_POINTER, move(pointer(), module.i32.const(size)));
    }
    if (info.id === binaryen.CallId && info.target === STACK_CHECK) {
      return () => module.call(STACK_CHECK, [], binaryen.none);
    }
    const isFill = info.id === binaryen.MemoryFillId && this.#isStackPointer(info.dest);
    const isZero =
      info.id === binaryen.StoreId &&
      this.#isStackPointer(info.ptr) &&
      this.#infoOf(info.value).id === binaryen.ConstId;
    if (!isFill && !isZero) return undefined;
    // Of the statements that fill it, one for all.
    const isFirst = isFill || info.offset === 0;
    return (size) => (isFirst ? zeros(module, pointer, size) : module.nop());
  }

  #isStackPointer(expression) {
    const info = this.#infoOf(expression);
    return info.id === this.binaryen.GlobalGetId && info.name === STACK_POINTER;
  }
}

/** Fills a frame with zeros: a small one by stores, since engines call a function of theirs for `memory.fill`. */
function zeros(module, pointer, size) {
  if (size > MOST_STORED) return module.memory.fill(pointer(), module.i32.const(0), module.i32.const(size));
  const stores = [];
  for (let at = 0; at < size; at += 8) {
    if (size - at >= 8) stores.push(module.i64.store(at, 4, pointer(), module.i64.const(0n)));
    else stores.push(module.i32.store(at, 4, pointer(), module.i32.const(0)));
  }
  return module.block(null, stores);
}
