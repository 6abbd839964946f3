// What a host call means, by the context it is made for. Here are the answers that every context gives; `RootContext`
// and `HttpContext` know more. Values in, values out: nothing here knows addresses.
// Source: proxy-wasm-cpp-host include/proxy-wasm/context_interface.h, Envoy source/extensions/common/wasm/context.cc.

import { BufferType, MapType, Status } from "../../assembly/abi.ts";
import type { Body } from "../http/body.ts";
import { type ByteString, decodeText, noBytes } from "../encoding/bytes.ts";
import { Gap, Misuse, Refusal } from "../error.ts";
import type { ForeignCaller, PropertyDeclaration } from "../services/foreign.ts";
import type { HeaderMap } from "../http/header-map.ts";
import { beyond, ENTRY_BYTES } from "../limits.ts";
import type { LocalReply } from "../http/local-reply.ts";
import type { PaddedBytes } from "../encoding/padded-bytes.ts";
import type { Plugin } from "./plugin.ts";
import type { HostPhase, HostProfile } from "../profiles/profile.ts";
import type { RootContext } from "./root-context.ts";
import { property, type StreamSources } from "../properties/properties.ts";
import type { GivenProperties } from "../properties/property-options.ts";
import type { PropertyValue } from "../properties/property-value.ts";
import type { Trace } from "../trace.ts";
import type { Vm } from "../module/vm.ts";

/** A buffer that a host call may read; `Body` ones may be written. */
export type Buffer = Body | PaddedBytes | Uint8Array;

/** A stream that has ended, as a log sees it. */
export interface LoggedStream {
  readonly logged: StreamSources;
  readonly given: GivenProperties;
  /** Whether it is over. */
  readonly isOver: boolean;
}

/** A context in a VM, with what every kind answers. */
export abstract class HostContext implements ForeignCaller {
  readonly id: number;
  readonly vm: Vm<HostContext>;
  readonly plugin: Plugin;
  /** What the host does in its own way. */
  readonly profile: HostProfile;
  /** The last of its callbacks. */
  phase: HostPhase = "on_context_create";
  abstract readonly trace: Trace;
  /** Who answers what belongs to the plugin as a whole: configuration, timers, callouts. */
  abstract readonly root: RootContext;
  /** How many bytes it has added to header maps, or what a map came to when that was looked at. */
  headerBytes = 0;
  /** What it has said about properties. */
  declaredProperties: Map<string, PropertyDeclaration> = noProperties;
  #declaredBytes = 0;
  /** What came with its last callback. Envoy keeps a configuration that was read since in the same place. */
  #callData: Uint8Array | PaddedBytes = noBytes;

  constructor(plugin: Plugin, vm: Vm<HostContext>, id: number = vm.newContextId()) {
    this.plugin = plugin;
    this.profile = plugin.host.proxy.profile;
    this.vm = vm;
    this.id = id;
    vm.contexts.set(this.id, this);
  }

  get #isRoot(): boolean {
    const root: HostContext = this.root;
    return root === this;
  }

  /** The prefix of its log lines in Envoy. */
  get logPrefix(): string {
    const { name, rootId, vmId } = this.plugin.options;
    const parts = this.#isRoot ? [rootId, vmId] : [name, rootId, vmId];
    return ["wasm log", ...parts.filter((part) => part)].join(" ");
  }

  /** The header map of this type, to be read or changed; a refusal when it cannot be now. */
  headerMap(type: MapType, toChange: boolean): HeaderMap | Refusal {
    if (type >= MapType.GrpcReceiveInitialMetadata) return this.root.inbox.headerMap(type, toChange);
    return new Refusal(
      Status.BadArgument,
      `${mapNames[type]} cannot be used here: ${this.#isRoot ? "a root context has no stream" : "not available"}`,
    );
  }

  /** Why this buffer cannot be read, or changed, in the running callback, in a host that says when; undefined if it can. */
  bufferMisuse(type: BufferType, toChange: boolean): Refusal | undefined {
    const { bodyReads, bodyWrites, title } = this.profile;
    if (!bodyReads || !bodyWrites) return undefined;
    const rules = toChange ? bodyWrites : bodyReads;
    const phases = Object.hasOwn(rules, type) ? rules[type]! : undefined;
    if (!phases) {
      if (!toChange && isConfiguration(type)) return undefined;
      return new Refusal(
        Status.BadArgument,
        `${bufferNames[type]} cannot be ${toChange ? "changed" : "read"} in ${title}`,
      );
    }
    if (toChange && type === BufferType.HttpRequestBody && this.phase === "on_request_headers") {
      const what = `a filter can set the request body in on_request_headers in ${title}`;
      return new Gap("host: nginx, kong", `${what}; this host does not play it`);
    }
    if (phases.includes(this.phase)) return undefined;
    const what = `${bufferNames[type]} cannot be ${toChange ? "changed" : "read"} in ${this.phase}`;
    return new Misuse(Status.BadArgument, `${what}, only in ${phases.join(", ")}`);
  }

  /** Runs something while this is its last callback. */
  during<T>(phase: HostPhase, run: () => T): T {
    const outer = this.phase;
    this.phase = phase;
    try {
      return run();
    } finally {
      this.phase = outer;
    }
  }

  /** The buffer of this type; a refusal when there is none. An empty one may stand for one that is not filled now. */
  buffer(type: BufferType): Buffer | Refusal {
    switch (type) {
      case BufferType.VmConfiguration:
        return (this.#callData = this.plugin.vmConfiguration);
      case BufferType.PluginConfiguration: {
        const { configuration, configurationNow } = this.plugin;
        const now = this.profile.keepsConfiguration ? configuration : configurationNow;
        if (now) return (this.#callData = now);
        return absent(type, "Envoy gives it in on_configure only: keep what you need");
      }
      case BufferType.CallData:
        return this.#callData;
      case BufferType.HttpCallResponseBody:
        return this.#calloutBody() ?? absent(type, "it is there in on_http_call_response only");
      case BufferType.GrpcReceiveBuffer:
        return this.root.inbox.buffer(type) ?? noBytes;
      default:
        return noBytes;
    }
  }

  /** Calls back with bytes beside the numbers: their size is the last of these. */
  callWith(callData: Uint8Array | PaddedBytes, callback: string, args: readonly number[] = []): void {
    this.#callData = callData;
    this.vm.call(callback, this, [this.id, ...args, callData.length]);
  }

  /** The host calls the filter on its own account. */
  foreignFunction(functionId: number, argument: Uint8Array): void {
    this.callWith(argument, "proxy_on_foreign_function", [functionId]);
  }

  /** The body of a callout's answer; in some hosts one without bytes is none. */
  #calloutBody(): Uint8Array | undefined {
    const body = this.root.inbox.buffer(BufferType.HttpCallResponseBody);
    return body?.length || !this.profile.bodyReads ? body : undefined;
  }

  /** A property by its path; a refusal when there is none. */
  property(path: readonly ByteString[]): PropertyValue | Refusal {
    const { options } = this.plugin;
    return property(path, { plugin: options, given: options.properties, stream: undefined });
  }

  /** Sets a property of the filter's own. */
  setProperty(name: ByteString, _value: ByteString): Refusal | undefined {
    return new Refusal(
      Status.NotFound,
      `the property ${name} cannot be set in a root context: a property is kept with a stream`,
    );
  }

  /** A property of the filter's own by its name, where it has names of its own. */
  ownProperty(_name: ByteString): ByteString | undefined {
    return undefined;
  }

  /** Sets such a property. */
  setOwnProperty(_name: ByteString, _value: ByteString): Refusal | undefined {
    return undefined;
  }

  /** Gives the request another query. */
  setQuery(_query: ByteString): Refusal | undefined {
    return new Refusal(Status.InternalFailure, "there is no request");
  }

  /** Whether this property was declared to be set only once. */
  protected isReadOnly(name: ByteString): boolean {
    return this.root.declaredProperties.get(decodeText(name))?.readonly ?? false;
  }

  /** Puts an object into the stream's filter state. */
  setFilterState(_name: string, _value: string): Refusal | undefined {
    return new Refusal(Status.NotFound, "a root context has no stream to keep filter state with");
  }

  /** Says what a property is, before it is set. What a stream declares is never looked at. */
  declareProperty(name: string, declaration: PropertyDeclaration): Refusal | undefined {
    if (this.declaredProperties.has(name)) {
      return new Refusal(Status.BadArgument, `the property ${JSON.stringify(name)} is declared already`);
    }
    const { limits } = this.plugin.host;
    const bytes = this.#declaredBytes + name.length + declaration.schema.length + ENTRY_BYTES;
    if (bytes > limits.propertyBytes) return beyond("propertyBytes", "the bytes of declarations", bytes, limits);
    this.#declaredBytes = bytes;
    if (this.declaredProperties === noProperties) this.declaredProperties = new Map();
    this.declaredProperties.set(name, declaration);
    return undefined;
  }

  /** Lets the request go on. Without a stream there is nothing to do, which is no error. */
  continueRequest(): void {}

  /** Lets the response go on. */
  continueResponse(): void {}

  /** Ends the stream without an answer. */
  closeStream(): void {}

  /** Lets the client's side of a TCP connection go on. */
  continueReading(): void {}

  /** Closes a TCP connection. */
  closeConnection(): void {}

  /** All of its callouts are done: a host may let its request go on. */
  calloutsDone(): void {}

  /** Answers the request from the proxy. */
  sendLocalReply(_reply: LocalReply): Refusal | undefined {
    return undefined;
  }
}

const noProperties = new Map<string, PropertyDeclaration>();

/** The header map of this type that a stream leaves for its log. */
export function loggedMap(stream: LoggedStream, type: MapType, toChange: boolean): HeaderMap | Refusal {
  if (toChange) return new Refusal(Status.BadArgument, `in on_log nothing can be changed, nor ${mapNames[type]}`);
  const { request, response, trailers } = stream.logged;
  const maps: Partial<Record<MapType, HeaderMap | undefined>> = {
    [MapType.HttpRequestHeaders]: request,
    [MapType.HttpResponseHeaders]: response,
    [MapType.HttpResponseTrailers]: trailers,
  };
  return maps[type] ?? new Refusal(Status.NotFound, `there are none: ${mapNames[type]}`);
}

/** The names of the header maps, as sentences have them. */
export const mapNames: Record<MapType, string> = {
  [MapType.HttpRequestHeaders]: "the request headers",
  [MapType.HttpRequestTrailers]: "the request trailers",
  [MapType.HttpResponseHeaders]: "the response headers",
  [MapType.HttpResponseTrailers]: "the response trailers",
  [MapType.GrpcReceiveInitialMetadata]: "the initial metadata of a gRPC answer",
  [MapType.GrpcReceiveTrailingMetadata]: "the trailing metadata of a gRPC answer",
  [MapType.HttpCallResponseHeaders]: "the headers of a callout's answer",
  [MapType.HttpCallResponseTrailers]: "the trailers of a callout's answer",
};

/** The names of the buffers, as sentences have them. */
export const bufferNames: Record<BufferType, string> = {
  [BufferType.HttpRequestBody]: "the request body",
  [BufferType.HttpResponseBody]: "the response body",
  [BufferType.DownstreamData]: "the downstream data",
  [BufferType.UpstreamData]: "the upstream data",
  [BufferType.HttpCallResponseBody]: "the body of a callout's answer",
  [BufferType.GrpcReceiveBuffer]: "the gRPC message",
  [BufferType.VmConfiguration]: "the VM configuration",
  [BufferType.PluginConfiguration]: "the plugin configuration",
  [BufferType.CallData]: "the call data",
};

function isConfiguration(type: BufferType): boolean {
  return type === BufferType.VmConfiguration || type === BufferType.PluginConfiguration;
}

function absent(type: BufferType, rule: string): Refusal {
  return new Refusal(Status.NotFound, `${bufferNames[type]} is not there: ${rule}`);
}
