// Counts the bytes of TCP connections, and closes those that do not begin as they should.

import { Action, logInfo, logWarn, PeerType, registerStreamContext, StreamContext } from "proxy-wasm/assembly";

/** What a connection has to begin with. */
const beginnings: string[] = ["GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "PATCH "];
const LONGEST: i32 = 8;

class CountBytes extends StreamContext {
  private received: u64 = 0;
  private sent: u64 = 0;
  private isKnown: bool = false;

  override onDownstreamData(size: u32, endOfStream: bool): Action {
    if (!this.isKnown) {
      const first = this.downstreamData.text().substring(0, LONGEST);
      this.isKnown = beginsRight(first);
      if (!this.isKnown) {
        // More may come; what is here is held until then.
        if (first.length < LONGEST && !endOfStream) return Action.Pause;
        logWarn("closed a connection that does not begin as it should");
        this.close();
        return Action.Pause;
      }
    }
    this.received += size;
    return Action.Continue;
  }

  override onUpstreamData(size: u32, _endOfStream: bool): Action {
    this.sent += size;
    return Action.Continue;
  }

  override onDownstreamClose(_peer: PeerType): void {
    logInfo(`received ${this.received} bytes, sent ${this.sent}`);
  }
}

function beginsRight(text: string): bool {
  for (let i = 0; i < beginnings.length; i++) {
    if (text.startsWith(beginnings[i])) return true;
  }
  return false;
}

registerStreamContext(() => new CountBytes());
