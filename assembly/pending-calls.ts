// Callouts that wait for their answer, by the number that the host has given them and by the context that has started
// them. Nothing of it is in a filter that starts none.

/// <reference path="./runtime.d.ts" />

/** Hears what becomes of a callout. */
export abstract class CallHandler {
  /** The context that has started it goes; the callout is still under way. @internal */
  onForgotten(_id: u32): void {}
}

/** A callout that has been started. */
export class PendingCall {
  /** The host's number; meaningless until `isKnown`. */
  id: u32 = 0;
  isKnown: bool = false;
  /** Whether its end was told already. */
  isOver: bool = false;
  /** Another one of the same context. */
  next: PendingCall | null = null;
  /** The one that is being started around it, when the host calls back from within. */
  outer: PendingCall | null = null;

  constructor(
    /** The context that has started it. */
    readonly contextId: u32,
    readonly handler: CallHandler,
    /** Whether more than one thing will be told of it. */
    readonly isStream: bool,
  ) {}
}

/** The pending calls of one kind: hosts may use a number once for each kind. */
export class PendingCalls {
  /** The index of the function that delivers what a host says; the first field, for `delivererOf`. */
  private deliverer: u32;
  private readonly byId: Map<u32, PendingCall> = new Map();
  /** The newest of each context. */
  private readonly byContext: Map<u32, PendingCall> = new Map();
  /** The innermost call that is being started. */
  private starting: PendingCall | null = null;
  private readonly nextKind: usize = kinds;

  /** `deliver` is the address of a function. It is called by its index: by its name, it would be in every filter. */
  constructor(deliver: usize) {
    // A function object begins with its index.
    this.deliverer = load<u32>(deliver);
    kinds = __pin(changetype<usize>(this));
    forgetting = changetype<usize>((contextId: u32): void => {
      for (let kind = kinds; kind; kind = changetype<PendingCalls>(kind).nextKind) {
        changetype<PendingCalls>(kind).forget(contextId);
      }
    });
  }

  /** Comes before the host call that starts one, since a host may answer from within. */
  begin(contextId: u32, handler: CallHandler, isStream: bool): PendingCall {
    const call = new PendingCall(contextId, handler, isStream);
    call.outer = this.starting;
    this.starting = call;
    return call;
  }

  /** Comes after it; `id` is what the host has written when it has accepted the call. */
  started(call: PendingCall, accepted: bool, id: u32): void {
    this.starting = call.outer;
    call.outer = null;
    if (!accepted) this.remove(call);
    else if (!call.isKnown && !call.isOver) this.add(call, id);
  }

  /** The call of this number; `null` when its context has gone, or it is none of ours. */
  find(id: u32): PendingCall | null {
    const known = this.known(id);
    if (known !== null) return known;
    const call = this.starting;
    // The host answers before it has said the number: this must be it.
    if (call === null || call.isKnown || call.isOver) return null;
    call.id = id;
    return call;
  }

  /** As `find`, but only of the calls whose number the host has said. */
  known(id: u32): PendingCall | null {
    return this.byId.has(id) ? this.byId.get(id) : null;
  }

  /** Remembers a call that the host speaks of before it has said the number. */
  keep(call: PendingCall): void {
    if (!call.isKnown) this.add(call, call.id);
  }

  /** Forgets a call: it is over. */
  remove(call: PendingCall): void {
    call.isOver = true;
    if (!call.isKnown) return;
    call.isKnown = false;
    this.byId.delete(call.id);
    const contextId = call.contextId;
    let other = this.byContext.get(contextId);
    if (other === call) {
      const next = call.next;
      if (next === null) this.byContext.delete(contextId);
      else this.byContext.set(contextId, next);
      return;
    }
    while (other.next !== call) other = other.next!;
    other.next = call.next;
  }

  /** How many calls of this context are pending. */
  count(contextId: u32): i32 {
    let count = 0;
    for (let call: PendingCall | null = this.newest(contextId); call !== null; call = call!.next) count++;
    return count;
  }

  private forget(contextId: u32): void {
    for (let call: PendingCall | null = this.newest(contextId); call !== null; call = call!.next) {
      call.isOver = true;
      call.isKnown = false;
      this.byId.delete(call.id);
      call.handler.onForgotten(call.id);
    }
    this.byContext.delete(contextId);
  }

  private newest(contextId: u32): PendingCall | null {
    return this.byContext.has(contextId) ? this.byContext.get(contextId) : null;
  }

  private add(call: PendingCall, id: u32): void {
    call.id = id;
    call.isKnown = true;
    call.next = this.newest(call.contextId);
    this.byContext.set(call.contextId, call);
    this.byId.set(id, call);
  }
}

/** The index of the function that delivers to the `PendingCalls` at this address; their type would be in every filter. */
export function delivererOf(calls: usize): u32 {
  return load<u32>(calls);
}

/** The newest `PendingCalls`, pinned; a managed variable would be in every filter. */
let kinds: usize = 0;
/** `(contextId: u32) => void`, as soon as there may be something to forget. */
let forgetting: usize = 0;

/** Forgets the calls of a context that goes. */
export function forgetCallsOf(contextId: u32): void {
  // A function object begins with its index. Called by its type, that type would be in every filter.
  if (forgetting) call_indirect<void>(load<u32>(forgetting), contextId);
}
