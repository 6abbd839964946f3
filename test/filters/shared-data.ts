// Does to the shared data what `x-do` says, and puts what it read into the log.

import {
  Action,
  Counter,
  HttpContext,
  Lease,
  logInfo,
  registerRootContext,
  RootContext,
  SharedData,
} from "proxy-wasm/assembly";

/** The ticks of all VMs. */
const ticked = new Counter("ticked");

class Root extends RootContext {
  step: i32 = 2;
  private readonly lease: Lease = new Lease("lease", 3000);

  override onConfigure(_configurationSize: u32): bool {
    this.setTickPeriodMs(1000);
    return true;
  }

  override onTick(): void {
    ticked.increment();
    if (this.lease.hold()) SharedData.update("ticks", plusOne);
  }

  override createHttpContext(): HttpContext {
    return new Sharing(this);
  }
}

function plusOne(value: string | null): string | null {
  return value === null ? "1" : (I32.parseInt(value) + 1).toString();
}

function show(value: string | null): string {
  return value === null ? "null" : '"' + value + '"';
}

class Sharing extends HttpContext {
  constructor(private readonly root: Root) {
    super();
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const command = this.requestHeaders.get("x-do");
    const key = this.requestHeaders.get("x-key")!;
    if (command == "get") logInfo(show(SharedData.get(key)));
    if (command == "set") logInfo(SharedData.set(key, this.requestHeaders.get("x-value")!).toString());
    if (command == "create") logInfo(SharedData.create(key, "created").toString());
    if (command == "stale") {
      const entry = SharedData.getEntry(key)!;
      const status = SharedData.set(key, "second", entry.cas);
      logInfo(entry.text + " " + status.toString() + " " + SharedData.set(key, "third", entry.cas).toString());
    }
    if (command == "bytes") {
      SharedData.setBytes(key, new Uint8Array(3).fill(0xff));
      const bytes = SharedData.getBytes(key)!;
      logInfo(bytes.toString());
    }
    if (command == "update") logInfo(SharedData.update(key, plusOne).toString());
    if (command == "leave") logInfo(SharedData.update(key, (_value) => null).toString());
    if (command == "update-with") {
      const status = SharedData.updateWith<Root>(key, this.root, (root, value) =>
        value === null ? root.step.toString() : (I32.parseInt(value) * root.step).toString(),
      );
      logInfo(status.toString());
    }
    if (command == "update-bytes") {
      SharedData.updateBytes(key, (value) => (value === null ? new Uint8Array(1) : value.subarray(0, 1)));
      SharedData.updateBytesWith<Uint8Array>(key, new Uint8Array(2).fill(7), (added, value) => {
        const both = new Uint8Array(value!.length + 2);
        both.set(value!);
        both.set(added, value!.length);
        return both;
      });
    }
    return Action.Continue;
  }
}

registerRootContext("", () => new Root());
