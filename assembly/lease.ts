// Letting one VM of many do what must not be done in each of them.

import { Status } from "./abi";
import { currentTimeNanoseconds } from "./clock";
import { SharedData } from "./shared-data";

/**
 * What only one VM has at a time, of all workers and the main thread of a proxy. Envoy ticks in each of them; to fetch
 * something in one only:
 *
 *     class Plugin extends RootContext {
 *       private readonly lease: Lease = new Lease("my-filter.refresh", 30_000);
 *       override onTick(): void {
 *         if (this.lease.hold()) this.refresh();
 *       }
 *     }
 *
 * Hold it in `onTick` rather than in `onConfigure`, which Envoy also runs in a VM that it drops at once. It rests upon
 * shared data, and so is one for each `vm_id`, and within one proxy only.
 */
export class Lease {
  /** The number of the entry that this VM wrote last. */
  private cas: u32 = 0;

  constructor(
    /** The key of the shared data that stands for it. */
    readonly name: string,
    /** How long it lasts after the last `hold`, when the VM that had it has gone: longer than the tick period. */
    readonly milliseconds: u32,
  ) {}

  /** Takes the lease, or renews it; `false` while another VM has it. */
  hold(): bool {
    const now = currentTimeNanoseconds();
    const until = new Uint8Array(8);
    store<u64>(until.dataStart, now + (this.milliseconds as u64) * 1_000_000);
    const entry = SharedData.getEntry(this.name);
    let status: Status;
    if (entry === null) status = SharedData.createBytes(this.name, until);
    else if (entry.cas == this.cas || isOver(entry.bytes, now)) {
      status = SharedData.setBytes(this.name, until, entry.cas);
    } else return false;
    if (status != Status.Ok) return false;
    const written = SharedData.getEntry(this.name);
    if (written !== null) this.cas = written.cas;
    return true;
  }
}

/** Whether the time in these bytes has come; also when there is none. */
function isOver(bytes: Uint8Array, now: u64): bool {
  return bytes.byteLength != 8 || load<u64>(bytes.dataStart) <= now;
}
