// Values that several VMs share: the workers of a proxy, and filters with the same vm_id.

import { Status } from "./abi";
import { proxy_get_shared_data, proxy_set_shared_data } from "./env";
import { answerBytes, answerData, answerSize, answerText, beginCall, write, written } from "./memory";
import { checked, DONE, FOUND_OR_NOT } from "./status";
import { decode } from "./utf8";

/** A shared value as it was at some time. */
export class SharedEntry {
  constructor(
    /** The value's bytes. */
    readonly bytes: Uint8Array,
    /** The number of this value: `set` with it changes only this value and no later one. */
    readonly cas: u32,
  ) {}

  /** The value as text; bytes that are no UTF-8 become U+FFFD. */
  get text(): string {
    return decode(this.bytes.dataStart, this.bytes.byteLength);
  }
}

/**
 * Values under keys, which outlive callbacks and VMs. Envoy keeps them for each `vm_id`, for all workers, for the main
 * thread and the canary that tries a configuration out; filters of others with the same `vm_id`, which is often the
 * empty one, see them too: begin keys with a name of your own. They stay until the last VM of the `vm_id` has gone;
 * there is no removing. ngx_wasm_module needs a zone that its configuration declares, and stops the filter without.
 * Source: proxy-wasm/spec v0.2.1, "Shared Key-Value Store"; proxy-wasm-cpp-host `src/shared_data.cc`.
 */
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- one name for calls that belong together
export class SharedData {
  /** The value under this key as text; `null` when there is none, `""` when it is empty. */
  static get(key: string): string | null {
    return ask(changetype<usize>(key)) == Status.Ok ? answerText() : null;
  }

  /** The value under this key as bytes; `null` when there is none, no bytes when it is empty. */
  static getBytes(key: string): Uint8Array | null {
    return ask(changetype<usize>(key)) == Status.Ok ? answerBytes() : null;
  }

  /** The value under this key with its number; `null` when there is none. */
  static getEntry(key: string): SharedEntry | null {
    if (ask(changetype<usize>(key)) != Status.Ok) return null;
    const cas = load<u32>(answerCas);
    return new SharedEntry(answerBytes(), cas);
  }

  /**
   * Sets the value. With the number (`cas`) of an entry only if the value is still that one: `CasMismatch` when it was
   * changed meanwhile. In Envoy 0 always sets, and a key that is not there is set whatever the number; in
   * ngx_wasm_module 0 sets only a key that is not there.
   */
  static set(key: string, value: string, cas: u32 = 0): Status {
    beginCall();
    const name = write(changetype<usize>(key));
    const nameSize = written;
    const data = write(changetype<usize>(value));
    return put(name, nameSize, data, written, cas);
  }

  /** As `set`, with the value's bytes. */
  static setBytes(key: string, value: Uint8Array, cas: u32 = 0): Status {
    beginCall();
    const name = write(changetype<usize>(key));
    return put(name, written, value.dataStart, value.byteLength, cas);
  }

  /**
   * Sets the value only if there is none; `CasMismatch` when there is. Of several VMs that try at once, one is `Ok`.
   */
  static create(key: string, value: string): Status {
    return SharedData.set(key, value, NO_ENTRY);
  }

  /** As `create`, with the value's bytes. */
  static createBytes(key: string, value: Uint8Array): Status {
    return SharedData.setBytes(key, value, NO_ENTRY);
  }

  /**
   * Changes a value whatever other VMs do at the same time. `change` gets the value as it is, `null` when there is none,
   * and gives the one that it is to be, or `null` to leave it alone. It is called again when another VM was faster, so
   * it should do nothing else; it is a plain function without variables from around it (see `updateWith`). `Ok`, or
   * `CasMismatch` when others were faster a hundred times.
   */
  static update(key: string, change: (value: string | null) => string | null): Status {
    return SharedData.updateWith<usize>(key, changetype<usize>(change), (change, value) =>
      changetype<(value: string | null) => string | null>(change)(value),
    );
  }

  /** As `update`, with a value that `change` is given first: the context, for instance, or an object of your own. */
  static updateWith<T>(key: string, context: T, change: (context: T, value: string | null) => string | null): Status {
    let create: u32 = NO_ENTRY;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const old = SharedData.get(key);
      const cas = old === null ? create : load<u32>(answerCas);
      const value = change(context, old);
      if (value === null) return Status.Ok;
      const status = SharedData.set(key, value, cas);
      if (status != Status.CasMismatch) return status;
      create = otherCreate(cas, create);
    }
    return Status.CasMismatch;
  }

  /** As `update`, with bytes. */
  static updateBytes(key: string, change: (value: Uint8Array | null) => Uint8Array | null): Status {
    return SharedData.updateBytesWith<usize>(key, changetype<usize>(change), (change, value) =>
      changetype<(value: Uint8Array | null) => Uint8Array | null>(change)(value),
    );
  }

  /** As `updateWith`, with bytes. */
  static updateBytesWith<T>(
    key: string,
    context: T,
    change: (context: T, value: Uint8Array | null) => Uint8Array | null,
  ): Status {
    let create: u32 = NO_ENTRY;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const old = SharedData.getBytes(key);
      const cas = old === null ? create : load<u32>(answerCas);
      const value = change(context, old);
      if (value === null) return Status.Ok;
      const status = SharedData.setBytes(key, value, cas);
      if (status != Status.CasMismatch) return status;
      create = otherCreate(cas, create);
    }
    return Status.CasMismatch;
  }
}

/** How often a change is tried while other VMs are faster. */
const MOST_TRIES: i32 = 100;
/**
 * The number of no entry: Envoy's count up from 1. Where there is no value Envoy ignores the number, where there is one
 * it does not match: so exactly one of those who create a key at the same time succeeds.
 */
const NO_ENTRY: u32 = 0xffff_ffff;

/** Where the host writes the number of a value. */
const answerCas: usize = memory.data(4);
const seenGet: usize = memory.data(4);
const seenSet: usize = memory.data(4);

/** ngx_wasm_module knows a key that is not there by the number 0: the one to create with, when the other did not. */
function otherCreate(cas: u32, create: u32): u32 {
  return cas == create ? ~create : create;
}

function ask(key: usize): Status {
  beginCall();
  const name = write(key);
  const status = proxy_get_shared_data(name, written, answerData, answerSize, answerCas);
  return checked(changetype<usize>("proxy_get_shared_data"), status, FOUND_OR_NOT, seenGet);
}

function put(key: usize, keySize: usize, value: usize, valueSize: usize, cas: u32): Status {
  const status = proxy_set_shared_data(key, keySize, value, valueSize, cas);
  return checked(changetype<usize>("proxy_set_shared_data"), status, DONE | (1 << Status.CasMismatch), seenSet);
}
