// What an author extends for TCP: one class for each connection of a client.

import { Action, BufferType, PeerType, Status, StreamType } from "./abi";
import { Body, bodyOf } from "./body";
import { focus } from "./callback";
import { Context } from "./context";
import { closeStream, continueStream } from "./stream";

/**
 * One TCP connection of a client, and the proxy's connection to the upstream behind it. Its methods mean this connection
 * in every callback, also in that of another context. Every callback does nothing unless it is overridden, and costs
 * nothing then: it is not even exported. In Envoy this is the network filter (`envoy.filters.network.wasm`);
 * ngx_wasm_module has HTTP only.
 * Source: proxy-wasm/spec v0.2.1, "TCP streams"; Envoy `source/extensions/common/wasm/context.cc`.
 */
export class StreamContext extends Context {
  /**
   * What the client has sent and the filter has not let go yet: during `onDownstreamData`, and while the data is held.
   */
  get downstreamData(): Body {
    return bodyOf(this.id, BufferType.DownstreamData);
  }

  /** What the upstream has sent and the filter has not let go yet: during `onUpstreamData`, and while it is held. */
  get upstreamData(): Body {
    return bodyOf(this.id, BufferType.UpstreamData);
  }

  /**
   * A client has connected. `Action.Pause` keeps the proxy from connecting to the upstream, and from reading, until
   * `continueDownstream`.
   */
  onNewConnection(): Action {
    return Action.Continue;
  }

  /**
   * Bytes from the client are there: `size` of them, all that was held so far included. `endOfStream` when the client
   * sends no more; it may still read. `Action.Pause` holds them until more arrives or `continueDownstream`.
   */
  onDownstreamData(size: u32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /**
   * Bytes from the upstream are there, as in `onDownstreamData`. `Action.Pause` holds them until more arrives: nothing
   * else lets them go on, and the end of the upstream's connection loses them unless its callback returns
   * `Action.Continue`.
   */
  onUpstreamData(size: u32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /**
   * The client's connection is closed: by the client (`PeerType.Remote`) or by the proxy (`PeerType.Local`), which also
   * does so when the upstream is gone. Nothing can be sent any more.
   */
  onDownstreamClose(peer: PeerType): void {}

  /**
   * The upstream sends no more. Envoy calls it right after the `onUpstreamData` that had `endOfStream`, always with
   * `PeerType.Unknown`, and not at all when the upstream resets the connection or cannot be reached.
   */
  onUpstreamClose(peer: PeerType): void {}

  /**
   * Lets held downstream data, or a held new connection, go on after the running callback. There is no such call for
   * the upstream's data: Envoy answers `Unimplemented`. Where nothing is held, and when the connection is closed, Envoy
   * answers `Ok` and does nothing: unlike an HTTP stream's, this call is safe at any time until `onDelete`.
   */
  continueDownstream(): Status {
    return focus(this.id) ? continueStream(StreamType.Downstream) : Status.BadArgument;
  }

  /**
   * Closes the client's connection when all is sent that went on before; what is held is lost. Safe at any time until
   * `onDelete`: once the connection is closed, Envoy answers `Ok` and does nothing.
   */
  close(): Status {
    return focus(this.id) ? closeStream(StreamType.Downstream) : Status.BadArgument;
  }

  /** Closes the upstream's side; in Envoy the same as `close`. */
  closeUpstream(): Status {
    return focus(this.id) ? closeStream(StreamType.Upstream) : Status.BadArgument;
  }
}
