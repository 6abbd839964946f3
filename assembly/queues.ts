// Queues between VMs: what one puts in, another takes out.

import { Status } from "./abi";
import {
  proxy_dequeue_shared_queue,
  proxy_enqueue_shared_queue,
  proxy_register_shared_queue,
  proxy_resolve_shared_queue,
} from "./env";
import { answerBytes, answerData, answerSize, answerText, beginCall, write, written } from "./memory";
import { checked, DONE, FOUND_OR_NOT } from "./status";

/**
 * A queue of the proxy, with the items in the order in which they came. All VMs of a `vm_id` share it by its name;
 * others find it with `resolve`.
 *
 * Who registered it last is told of each item, in `onQueueReady` of its root context. Envoy runs a filter in every
 * worker, in the main thread, and for a moment in a VM that tries the configuration out; registering in `onConfigure`
 * therefore gives all items to one of the workers, and not to the same one each time. Another VM may have taken an item
 * before the one that was told of it, and items that came before the first registration are told to nobody: take items
 * out until there is none, as `subscribe` does. ngx_wasm_module tells nobody, does not resolve, and needs a zone for
 * each queue. Source: proxy-wasm/spec v0.2.1, "Shared Queues"; proxy-wasm-cpp-host `src/shared_queue.cc`.
 */
@unmanaged
export class Queue {
  // There is no object behind it: the reference is the number of the queue plus one (`null` is 0). `@unmanaged` keeps
  // the garbage collector away from it.

  /** The queue of this number, as the callback has it. */
  static of(id: u32): Queue {
    return changetype<Queue>((id as usize) + 1);
  }

  /**
   * The queue of this name and the filter's own `vm_id`, made when there is none; from now on this VM is told of its
   * items. `null` when the host has no queues.
   */
  static register(name: string): Queue | null {
    beginCall();
    const text = write(changetype<usize>(name));
    const status = proxy_register_shared_queue(text, written, answerData);
    return queueOf(checked(changetype<usize>("proxy_register_shared_queue"), status, DONE, seenRegister));
  }

  /**
   * The queue of this name that a filter with this `vm_id` has registered; `""` stands for the filter's own `vm_id`.
   * `null` when none has yet: filters start in any order, so resolve when the queue is needed, and keep what was found.
   */
  static resolve(vmId: string, name: string): Queue | null {
    beginCall();
    const vm = write(changetype<usize>(vmId));
    const vmSize = written;
    const text = write(changetype<usize>(name));
    const status = proxy_resolve_shared_queue(vm, vmSize, text, written, answerData);
    return queueOf(checked(changetype<usize>("proxy_resolve_shared_queue"), status, FOUND_OR_NOT, seenResolve));
  }

  /** The ABI's number of this queue. */
  get id(): u32 {
    return (changetype<usize>(this) - 1) as u32;
  }

  /** Puts an item in, at the end. `NotFound` when the queue has gone with the last VM of its `vm_id`. */
  enqueue(item: string): Status {
    beginCall();
    const text = write(changetype<usize>(item));
    return put(this.id, text, written);
  }

  /** As `enqueue`, with bytes. */
  enqueueBytes(item: Uint8Array): Status {
    return put(this.id, item.dataStart, item.byteLength);
  }

  /** Takes the first item out, as text; `null` when there is none, which is ordinary. */
  dequeue(): string | null {
    return take(this.id) == Status.Ok ? answerText() : null;
  }

  /** Takes the first item out, as bytes; `null` when there is none, which is ordinary. */
  dequeueBytes(): Uint8Array | null {
    return take(this.id) == Status.Ok ? answerBytes() : null;
  }
}

const seenRegister: usize = memory.data(4);
const seenResolve: usize = memory.data(4);
const seenEnqueue: usize = memory.data(4);
const seenDequeue: usize = memory.data(4);

function queueOf(status: Status): Queue | null {
  return status == Status.Ok ? Queue.of(load<u32>(answerData)) : null;
}

const NONE: u32 = u32.MAX_VALUE;
/** The queue that an item was put into last. */
let filled: u32 = NONE;

function put(queue: u32, item: usize, size: usize): Status {
  filled = queue;
  const status = proxy_enqueue_shared_queue(queue, item, size);
  return checked(changetype<usize>("proxy_enqueue_shared_queue"), status, DONE, seenEnqueue);
}

function take(queue: u32): Status {
  beginCall();
  const status = proxy_dequeue_shared_queue(queue, answerData, answerSize);
  return checked(changetype<usize>("proxy_dequeue_shared_queue"), status, DONE | (1 << Status.Empty), seenDequeue);
}

// Who handles the items of which queue, in blocks: the next block, the id of the root context, the queue, the handler,
// and what takes items out for it. A filter that never subscribes has none of what follows in it.
const ROOT: usize = 4;
const QUEUE: usize = 8;
const HANDLER: usize = 12;
const DRAIN: usize = 16;
const BLOCK_SIZE: usize = 20;
let subscriptions: usize = 0;
/** `forget`, once there is a subscription. */
let forgetting: usize = 0;

/** The most items that are handled at once, however fast other VMs put more in: each item is told of anyway. */
const MOST_ITEMS: i32 = 1000;

/** Registers a queue, and has its items handled by `(context, item: string) => void`. */
export function subscribeTexts(name: string, rootId: u32, handler: usize): Status {
  return subscribe(name, rootId, handler, changetype<usize>(drainTexts));
}

/** Registers a queue, and has its items handled by `(context, item: Uint8Array) => void`. */
export function subscribeBytes(name: string, rootId: u32, handler: usize): Status {
  return subscribe(name, rootId, handler, changetype<usize>(drainBytes));
}

function subscribe(name: string, rootId: u32, handler: usize, drain: usize): Status {
  beginCall();
  const text = write(changetype<usize>(name));
  const status = proxy_register_shared_queue(text, written, answerData);
  if (status != Status.Ok) {
    return checked(changetype<usize>("proxy_register_shared_queue"), status, DONE, seenRegister);
  }
  const queue = load<u32>(answerData);
  const block = heap.alloc(BLOCK_SIZE);
  store<usize>(block, subscriptions);
  store<u32>(block, rootId, ROOT);
  store<u32>(block, queue, QUEUE);
  store<usize>(block, handler, HANDLER);
  store<usize>(block, drain, DRAIN);
  subscriptions = block;
  forgetting = changetype<usize>(forget);
  return Status.Ok;
}

/** Hands the items of a queue to the handler that a root context has for it; `false` when it has none. */
export function deliverItems(rootId: u32, queue: u32, context: usize): bool {
  for (let block = subscriptions; block; block = load<usize>(block)) {
    if (load<u32>(block, ROOT) != rootId || load<u32>(block, QUEUE) != queue) continue;
    changetype<Drain>(load<usize>(block, DRAIN))(queue, context, load<usize>(block, HANDLER));
    return true;
  }
  return false;
}

/** Forgets the subscriptions of a root context that is deleted. */
export function forgetSubscriptions(rootId: u32): void {
  if (forgetting) changetype<(rootId: u32) => void>(forgetting)(rootId);
}

function forget(rootId: u32): void {
  let before: usize = 0;
  for (let block = subscriptions; block;) {
    const next = load<usize>(block);
    if (load<u32>(block, ROOT) == rootId) {
      if (before) store<usize>(before, next);
      else subscriptions = next;
      heap.free(block);
    } else {
      before = block;
    }
    block = next;
  }
}

/**
 * Takes items out of a queue and calls the handler with the context, which the registry holds, and each of them. When
 * the handler puts an item back, the rest waits for the notice of that: otherwise it would never end.
 */
type Drain = (queue: u32, context: usize, handler: usize) => void;

function drainTexts(queue: u32, context: usize, handler: usize): void {
  for (let i = 0; i < MOST_ITEMS; i++) {
    const item = Queue.of(queue).dequeue();
    if (item === null) return;
    filled = NONE;
    changetype<(context: usize, item: string) => void>(handler)(context, item);
    if (filled == queue) return;
  }
}

function drainBytes(queue: u32, context: usize, handler: usize): void {
  for (let i = 0; i < MOST_ITEMS; i++) {
    const item = Queue.of(queue).dequeueBytes();
    if (item === null) return;
    filled = NONE;
    changetype<(context: usize, item: Uint8Array) => void>(handler)(context, item);
    if (filled == queue) return;
  }
}
