// What a filter can call and ask: clusters, with the callouts under way to them, and names.

import { Status } from "../../assembly/abi.ts";
import { decodeText } from "../encoding/bytes.ts";
import {
  bytesOfCallout,
  Callout,
  type CalloutAnswer,
  type CalloutInit,
  type CalloutUpstream,
  type CalloutUpstreams,
  unknownCluster,
  UnknownHost,
} from "./callouts.ts";
import type { Clock } from "../clock.ts";
import { type DnsNames, Resolver } from "./dns.ts";
import { Refusal, StreamError } from "../error.ts";
import { bytesOfGrpcCall, GrpcCallout, type GrpcInit, type GrpcListener, type GrpcUpstreams } from "./grpc.ts";
import { type Leftover, leftovers } from "../leftovers.ts";
import { beyond, type Limits } from "../limits.ts";
import type { HostProfile } from "../profiles/profile.ts";
import type { Trace } from "../trace.ts";
import { UpstreamError } from "./upstream.ts";
import { UpstreamWork } from "../upstream-work.ts";

/** Whose a callout is. */
export interface Caller {
  readonly trace: Trace;
  readonly limits: Limits;
  /** Whether the context that calls is still there. */
  lives(): boolean;
}

/** What a host knows of the world behind the proxy. */
export class Clusters {
  readonly upstreams: CalloutUpstreams;
  readonly grpc: GrpcUpstreams;
  /** Resolves names. */
  readonly dns: Resolver;
  /** The functions that are answering. */
  readonly work: UpstreamWork;
  /** The callouts that wait for their answer, oldest first. */
  readonly pending: Set<Callout> = new Set();
  /** The gRPC calls and streams that are open, oldest first. */
  readonly openGrpc: Set<GrpcCallout> = new Set();
  readonly #clock: Clock;
  readonly #profile: HostProfile;
  /** The bytes that filters gave for what has no answer yet. */
  #held = 0;

  constructor(upstreams: CalloutUpstreams, grpc: GrpcUpstreams, dns: DnsNames, clock: Clock, profile: HostProfile) {
    this.upstreams = upstreams;
    this.grpc = grpc;
    this.work = new UpstreamWork(clock);
    this.dns = new Resolver(dns, this.work);
    this.#clock = clock;
    this.#profile = profile;
  }

  /** Holds so many bytes more until they are released; the refusal when that is too much. */
  hold(bytes: number, limits: Limits): Refusal | undefined {
    const held = this.#held + bytes;
    if (held > limits.calloutRequestBytes) {
      return beyond("calloutRequestBytes", "the bytes of what has no answer yet", held, limits);
    }
    this.#held = held;
    return undefined;
  }

  /** They are not held any more. */
  release(bytes: number): void {
    this.#held -= bytes;
  }

  /** Sends an HTTP callout to a cluster that is known. `finish` hears of its end; `from` is whose it is. */
  httpCall(
    id: number,
    init: CalloutInit,
    from: Caller,
    finish: (answer: CalloutAnswer | undefined) => void,
  ): Callout | Refusal {
    const name = decodeText(init.cluster);
    const { calloutTarget } = this.#profile;
    const given = Object.hasOwn(this.upstreams, name) ? this.upstreams[name] : undefined;
    const upstream = given ?? (calloutTarget === "host" ? this.#unreachable(name, from.trace) : undefined);
    if (!upstream) return new Refusal(Status.InternalFailure, `the cluster ${name} has no healthy host`);
    const open = [...this.pending].filter((callout) => callout.cluster === name).length;
    if (open >= from.limits.calloutsPerCluster) {
      return new Refusal(Status.InternalFailure, `${open} callouts to ${name} are under way, which is the most`);
    }
    const full = this.hold(bytesOfCallout(init), from.limits);
    if (full) return full;
    const context = { clock: this.#clock, work: this.work, profile: this.#profile, ...from };
    const callout = new Callout(id, init, context, upstream, (answer) => {
      this.pending.delete(callout);
      this.release(callout.heldBytes);
      leftovers.delete(leftover);
      finish(answer);
    });
    const { method, path } = callout.request;
    const leftover = unanswered(from, `the callout to ${name} (${method} ${path}) has no answer`, "upstreams", name);
    this.pending.add(callout);
    leftovers.add(leftover);
    from.trace.addCallout(callout);
    return callout;
  }

  /** Stands for a host that does not answer, or that nobody knows. */
  #unreachable(name: string, trace: Trace): CalloutUpstream {
    const isKnown = Object.hasOwn(this.upstreams, name);
    if (!isKnown) trace.push({ kind: "note", text: unknownCluster(name, Object.keys(this.upstreams)) });
    const isName = !/^[\d.]+(:\d+)?$|^\[|^unix:/.test(name);
    return () => {
      throw isKnown || !isName ? new UpstreamError() : new UnknownHost();
    };
  }

  /** Begins a gRPC call or stream; undefined when the cluster has no healthy host, or cannot take one more. */
  grpcCall(
    id: number,
    cluster: string,
    init: GrpcInit,
    from: Caller,
    listener: GrpcListener,
  ): GrpcCallout | Refusal | undefined {
    const upstream = Object.hasOwn(this.grpc, cluster) ? this.grpc[cluster] : undefined;
    const open = [...this.openGrpc].filter((call) => call.cluster === cluster).length;
    if (!upstream || open >= from.limits.calloutsPerCluster) return undefined;
    const hold = (bytes: number): Refusal | undefined => this.hold(bytes, from.limits);
    const full = hold(bytesOfGrpcCall(init));
    if (full) return full;
    const { trace, limits } = from;
    const context = { clock: this.#clock, work: this.work, trace, limits, hold };
    const call = new GrpcCallout(id, cluster, init, context, upstream, listener);
    const what = `the gRPC ${call.isStream ? "stream" : "call"} to ${cluster} (${call.service}/${call.method}) is open`;
    const leftover = unanswered(from, what, "grpc", cluster);
    this.openGrpc.add(call);
    leftovers.add(leftover);
    call.signal.addEventListener("abort", () => {
      this.openGrpc.delete(call);
      this.release(call.heldBytes);
      leftovers.delete(leftover);
    });
    from.trace.addGrpcCall(call);
    return call;
  }
}

function unanswered({ lives }: Caller, what: string, option: "upstreams" | "grpc", cluster: string): Leftover {
  const getter = option === "grpc" ? "pendingGrpc" : "pending";
  const remedy =
    `answer it, with a function in loadFilter(…, { ${option} }) or by hand with filter.${getter}(${JSON.stringify(cluster)}), ` +
    "or end the stream that waits for it";
  return () => (lives() ? `${what}: ${remedy}` : undefined);
}

/** The oldest of these callouts to a cluster that waits for its answer; a `StreamError` when there is none. */
export function pendingCallout(callouts: Iterable<Callout>, cluster: string): Callout {
  const pending = [...callouts].filter((callout) => callout.state === "pending");
  return (
    pending.find((callout) => callout.cluster === cluster) ??
    nothingPending(
      "callout",
      cluster,
      pending.map((one) => `${one.cluster} (${one.request.method} ${one.request.path})`),
    )
  );
}

/** The oldest of these gRPC calls to a cluster that is open; a `StreamError` when there is none. */
export function pendingGrpcCall(calls: Iterable<GrpcCallout>, cluster: string): GrpcCallout {
  const open = [...calls].filter((call) => call.state === "open");
  return (
    open.find((call) => call.cluster === cluster) ??
    nothingPending(
      "gRPC call",
      cluster,
      open.map((one) => `${one.cluster} (${one.service}/${one.method})`),
    )
  );
}

function nothingPending(what: string, cluster: string, pending: string[]): never {
  throw new StreamError(
    `no ${what} to ${JSON.stringify(cluster)} is pending; ${pending.length ? `pending are: ${pending.join(", ")}` : "none is"}`,
  );
}
