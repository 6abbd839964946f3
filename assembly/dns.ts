// Names that the proxy resolves for a filter. Envoy's own: the ABI has no such call.
// Source: Envoy source/extensions/common/wasm/wasm.cc (resolve_dns), context.cc (onResolveDns); what Envoy 1.40 did.

import { Status } from "./abi";
import { askCallData } from "./call-data";
import { focus } from "./callback";
import { envoy_resolve_dns } from "./env";
import { answerData, answerSize, beginCall, write, written } from "./memory";
import { CallHandler, delivererOf, PendingCalls } from "./pending-calls";
import { checked, DONE } from "./status";
import { decode } from "./utf8";

/** An address that a name stands for. */
export class DnsAddress {
  constructor(
    /** The address with the port 0, as Envoy writes it: `192.0.2.1:0`, `[2001:db8::1]:0`; `ipOf` takes the port off. */
    readonly address: string,
    /** For how many seconds it holds; 0 for what Envoy knows without asking a server. */
    readonly ttlSeconds: u32,
  ) {}
}

/** What came of asking for a name. */
export class DnsAnswer {
  constructor(
    /** The addresses, in the order of the answer; none when there is no such name, and when it failed. */
    readonly addresses: DnsAddress[],
    /** Whether nobody could be asked: no server answered, or the name is none. */
    readonly failed: bool,
  ) {}
}

/** Hears what a name stands for: a class of your own, with the fields that you need. */
export abstract class DnsHandler extends CallHandler {
  /** The answer is there. The context that has asked is the effective one. */
  abstract onAnswer(answer: DnsAnswer): void;
}

/** Asks for a name on behalf of a context. */
export function startDns(name: string, contextId: u32, handler: DnsHandler): Status {
  const calls = pendingCalls();
  const call = calls.begin(contextId, handler, false);
  beginCall();
  const text = write(changetype<usize>(name));
  const status = envoy_resolve_dns(text, written, answerData);
  calls.started(call, status == Status.Ok, load<u32>(answerData));
  return checked(changetype<usize>("envoy_resolve_dns"), status, DONE, memory.data(4));
}

/** The `PendingCalls` of this kind, pinned; a managed variable would be in every filter. */
let pending: usize = 0;

function pendingCalls(): PendingCalls {
  if (!pending) pending = changetype<usize>(new PendingCalls(changetype<usize>(deliver)));
  return changetype<PendingCalls>(pending);
}

/** Tells the handler of a name what came of it: `size` bytes of call data of the root context. */
export function deliverDns(token: u32, size: u32): void {
  if (pending) call_indirect<void>(delivererOf(pending), token, size);
}

function deliver(token: u32, size: u32): void {
  const calls = pendingCalls();
  const call = calls.find(token);
  if (call === null) return;
  calls.remove(call);
  // Read before the context changes: the bytes are the root context's.
  const answer = size && askCallData(0, size) ? readAnswer() : new DnsAnswer([], true);
  if (focus(call.contextId)) (call.handler as DnsHandler).onAnswer(answer);
}

/** How many addresses, the seconds of each, the texts of each, ended by NUL. */
function readAnswer(): DnsAnswer {
  const start = load<usize>(answerData);
  const end = start + load<usize>(answerSize);
  const addresses = new Array<DnsAddress>();
  const count = end - start >= 4 ? (load<u32>(start) as usize) : 0;
  let seconds = start + 4;
  if (count > (end - start) >> 2) return new DnsAnswer(addresses, true);
  for (let text = seconds + (count << 2); seconds < start + 4 + (count << 2) && text < end; seconds += 4) {
    let size: usize = 0;
    while (text + size < end && load<u8>(text + size)) size++;
    addresses.push(new DnsAddress(decode(text, size), load<u32>(seconds)));
    text += size + 1;
  }
  return new DnsAnswer(addresses, false);
}
