// Shared data: values under keys that all VMs of one vm_id see, each with a number (cas) that changes with it.
// Source: proxy-wasm-cpp-host src/shared_data.cc; what a running Envoy 1.40 did.

import { Status } from "../../assembly/abi.ts";
import { type ByteString, decodeText, encodeText, toBytes, toText } from "../encoding/bytes.ts";
import { Refusal } from "../error.ts";
import { ENTRY_BYTES } from "../limits.ts";

/** A shared value. */
export interface SharedValue {
  readonly value: Uint8Array;
  /** Tells this value from the one before and the one after; never 0. */
  readonly cas: number;
}

/** The shared data of a proxy. */
export class SharedData {
  readonly #data = new Map<string, Map<ByteString, SharedValue>>();
  #lastCas = 0;
  #bytes = 0;

  /** The value under this key. */
  get(vmId: string, key: ByteString): SharedValue | Refusal {
    const found = this.#data.get(vmId)?.get(key);
    return found ?? new Refusal(Status.NotFound, `there is no shared data under ${nameOf(key)} for ${vmName(vmId)}`);
  }

  /** The bytes of all keys and values, `ENTRY_BYTES` more for each, if one of this size came under this key. */
  bytesWith(vmId: string, key: ByteString, size: number): number {
    const current = this.#data.get(vmId)?.get(key);
    return this.#bytes + size - (current ? current.value.length : -key.length - ENTRY_BYTES);
  }

  /**
   * Sets a value. With a `cas` other than 0, only when the value is still the one of that number; where there is none
   * yet, whatever the number. `strictly`, the number must fit in any case, and is 0 where there is none.
   */
  set(vmId: string, key: ByteString, value: Uint8Array, cas: number, strictly: boolean = false): Refusal | undefined {
    let values = this.#data.get(vmId);
    if (!values) this.#data.set(vmId, (values = new Map<ByteString, SharedValue>()));
    const current = values.get(key);
    const fits = strictly ? cas === (current?.cas ?? 0) : !current || !cas || cas === current.cas;
    if (!fits) {
      return new Refusal(
        Status.CasMismatch,
        `the shared data under ${nameOf(key)} has changed: its number is ${current?.cas ?? 0}, not ${cas}. Read it again`,
      );
    }
    // The numbers count up over all keys and vm_ids, and 0 is none of them.
    this.#lastCas = (this.#lastCas + 1) >>> 0 || 1;
    this.#bytes = this.bytesWith(vmId, key, value.length);
    values.set(key, { value, cas: this.#lastCas });
    return undefined;
  }

  /** Removes a value, when its number is this one. */
  delete(vmId: string, key: ByteString, cas: number): Refusal | undefined {
    const values = this.#data.get(vmId);
    const current = values?.get(key);
    if (current?.cas === cas) {
      values!.delete(key);
      this.#bytes -= sizeOf(key, current);
      return undefined;
    }
    return new Refusal(Status.CasMismatch, `the number of the shared data under ${nameOf(key)} is not ${cas}`);
  }

  /** The keys of this vm_id, in the order in which they came. */
  keys(vmId: string): ByteString[] {
    return [...(this.#data.get(vmId)?.keys() ?? [])];
  }

  /** Forgets what belongs to this vm_id: its last VM has gone. */
  forget(vmId: string): void {
    for (const [key, value] of this.#data.get(vmId) ?? []) this.#bytes -= sizeOf(key, value);
    this.#data.delete(vmId);
  }
}

/** The shared data that a filter sees, for a test to look at and to change. */
export class SharedDataView {
  readonly #data: SharedData;
  readonly #vmId: string;

  /** @internal */
  constructor(data: SharedData, vmId: string) {
    this.#data = data;
    this.#vmId = vmId;
  }

  /** The value under this key as text, bytes that are no UTF-8 as U+FFFD; `null` when there is none. */
  get(key: string): string | null {
    const found = this.#find(key);
    return found ? toText(found.value) : null;
  }

  /** The value under this key, byte for byte; `null` when there is none. */
  getBytes(key: string): Uint8Array | null {
    const found = this.#find(key);
    return found ? found.value.slice() : null;
  }

  /** The number of the value under this key, which changes with it; `null` when there is none. */
  cas(key: string): number | null {
    return this.#find(key)?.cas ?? null;
  }

  /** Sets the value under this key, as another VM would. */
  set(key: string, value: string | Uint8Array): void {
    this.#data.set(this.#vmId, encodeText(key), toBytes(value).slice(), 0);
  }

  /** The keys, in the order in which they came. */
  keys(): string[] {
    return this.#data.keys(this.#vmId).map(decodeText);
  }

  #find(key: string): SharedValue | undefined {
    const found = this.#data.get(this.#vmId, encodeText(key));
    return found instanceof Refusal ? undefined : found;
  }
}

function sizeOf(key: ByteString, { value }: SharedValue): number {
  return key.length + value.length + ENTRY_BYTES;
}

function nameOf(key: ByteString): string {
  return JSON.stringify(decodeText(key));
}

/** What a sentence calls the VMs of this vm_id. */
export function vmName(vmId: string): string {
  return vmId ? `the vm_id ${JSON.stringify(vmId)}` : "the empty vm_id";
}
