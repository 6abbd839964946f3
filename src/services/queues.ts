// Shared queues: items that one VM puts in and another takes out. Whoever registered a queue last is told of each item.
// Source: proxy-wasm-cpp-host src/shared_queue.cc; what a running Envoy 1.40 did.

import { Status } from "../../assembly/abi.ts";
import { type ByteString, decodeText, encodeText, toBytes, toText } from "../encoding/bytes.ts";
import type { Dispatcher } from "../dispatcher.ts";
import { Misuse, Refusal } from "../error.ts";
import { ENTRY_BYTES } from "../limits.ts";
import { vmName } from "./shared-data.ts";

interface Queue {
  readonly id: number;
  readonly items: Uint8Array[];
  /** Tells whoever registered it last that an item has come. */
  ready: () => void;
}

/** The most names that a sentence lists. */
const MOST_NAMES = 10;

/** The queues of a proxy. */
export class Queues {
  readonly #dispatcher: Dispatcher;
  readonly #queues = new Map<number, Queue>();
  /** By vm_id, then by name. */
  readonly #named = new Map<string, Map<ByteString, Queue>>();
  #lastId = 0;
  #bytes = 0;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
  }

  /** The bytes of names, items and notices to come, `ENTRY_BYTES` more for each, if one more came of this size. */
  bytesWith(size: number): number {
    return this.#bytes + ENTRY_BYTES * (this.#dispatcher.waiting + 1) + size;
  }

  /** The id of this queue, made when it is new. From now on it is `ready` that hears of its items. */
  register(vmId: string, name: ByteString, ready: (id: number) => void): number {
    let queue = this.#find(vmId, name);
    if (!queue) {
      this.#lastId = (this.#lastId + 1) >>> 0 || 1;
      queue = { id: this.#lastId, items: [], ready: () => {} };
      this.#queues.set(queue.id, queue);
      let named = this.#named.get(vmId);
      if (!named) this.#named.set(vmId, (named = new Map<ByteString, Queue>()));
      named.set(name, queue);
      this.#bytes += name.length + ENTRY_BYTES;
    }
    const { id } = queue;
    queue.ready = () => ready(id);
    return id;
  }

  /** The id of this queue. */
  resolve(vmId: string, name: ByteString): number | Refusal {
    const queue = this.#find(vmId, name);
    if (queue) return queue.id;
    const names = this.#names(vmId).map((known) => JSON.stringify(known));
    const known = names.length ? `; registered are: ${names.join(", ")}` : "";
    return new Refusal(
      Status.NotFound,
      `no queue ${JSON.stringify(decodeText(name))} is registered for ${vmName(vmId)}${known}`,
    );
  }

  /** Puts an item at the end; its registrant hears of it when what happens now is over. */
  enqueue(id: number, item: Uint8Array): Refusal | undefined {
    const queue = this.#queues.get(id);
    if (!queue) return unknown(id);
    queue.items.push(item);
    this.#bytes += item.length + ENTRY_BYTES;
    this.#dispatcher.post(queue.ready);
    return undefined;
  }

  /** Takes the first item out. */
  dequeue(id: number): Uint8Array | Refusal {
    const items = this.items(id);
    if (items instanceof Refusal) return items;
    const item = items.shift();
    if (!item) return new Refusal(Status.Empty, `the queue ${id} is empty`);
    this.#bytes -= item.length + ENTRY_BYTES;
    return item;
  }

  /** The items of a queue, the first one first. */
  items(id: number): Uint8Array[] | Refusal {
    return this.#queues.get(id)?.items ?? unknown(id);
  }

  /** Forgets what belongs to this vm_id: its last VM has gone. */
  forget(vmId: string): void {
    for (const [name, { id, items }] of this.#named.get(vmId) ?? []) {
      this.#queues.delete(id);
      this.#bytes -= items.reduce((sum, item) => sum + item.length + ENTRY_BYTES, name.length + ENTRY_BYTES);
    }
    this.#named.delete(vmId);
  }

  /** Some of the names of this vm_id. */
  #names(vmId: string): string[] {
    const names: string[] = [];
    for (const name of this.#named.get(vmId)?.keys() ?? []) {
      if (names.push(decodeText(name)) === MOST_NAMES) break;
    }
    return names;
  }

  #find(vmId: string, name: ByteString): Queue | undefined {
    return this.#named.get(vmId)?.get(name);
  }
}

/** A queue in the hands of a test. */
export class SharedQueue {
  /** The id by which filters know it. */
  readonly id: number;
  readonly #queues: Queues;

  /** @internal */
  constructor(queues: Queues, vmId: string, name: string) {
    const id = queues.resolve(vmId, encodeText(name));
    if (id instanceof Refusal) throw new Error(id.reason);
    this.id = id;
    this.#queues = queues;
  }

  /** How many items wait in it. */
  get size(): number {
    return this.#items().length;
  }

  /** The items that wait in it as text, the first one first. */
  texts(): string[] {
    return this.#items().map(toText);
  }

  /** The items that wait in it, byte for byte. */
  items(): Uint8Array[] {
    return [...this.#items()];
  }

  /** Puts an item in, as another VM would: the filter that registered the queue last hears of it before this returns. */
  push(item: string | Uint8Array): void {
    this.#queues.enqueue(this.id, toBytes(item).slice());
  }

  /** Takes the first item out, byte for byte; `null` when there is none. */
  shift(): Uint8Array | null {
    const item = this.#queues.dequeue(this.id);
    return item instanceof Refusal ? null : item;
  }

  /** Takes the first item out as text; `null` when there is none. */
  shiftText(): string | null {
    const item = this.shift();
    return item && toText(item);
  }

  #items(): Uint8Array[] {
    const items = this.#queues.items(this.id);
    return items instanceof Refusal ? [] : items;
  }
}

function unknown(id: number): Refusal {
  return new Misuse(Status.NotFound, `there is no queue ${id}; registering or resolving one gives its id`);
}
