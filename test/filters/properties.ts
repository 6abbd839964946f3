// Reads and sets properties in the ways of the SDK, as the header `x-do` says, and logs what came.

import {
  Action,
  connection,
  destination,
  getProperty,
  getPropertyBool,
  getPropertyBytes,
  getPropertyF64,
  getPropertyI64,
  getPropertyList,
  getPropertyMap,
  getPropertyNanoseconds,
  getPropertyU64,
  HttpContext,
  logInfo,
  plugin,
  PropertyMap,
  PropertyValue,
  registerRootContext,
  request,
  RootContext,
  setProperty,
  setPropertyBytes,
  source,
  upstream,
  xds,
} from "proxy-wasm/assembly";

function show(text: string | null): string {
  return text === null ? "null" : '"' + text + '"';
}

function bytes(value: Uint8Array | null): string {
  return value === null ? "null" : "[" + value.join(",") + "]";
}

/** Everything that a path gives, read in every way. */
function readings(path: string[]): string {
  return (
    getPropertyI64(path, -7).toString() +
    " " +
    getPropertyU64(path, 7).toString() +
    " " +
    getPropertyF64(path, -7.5).toString() +
    " " +
    (getPropertyBool(path, true) ? "true" : "false") +
    (getPropertyBool(path, false) ? " true " : " false ") +
    getPropertyNanoseconds(path, -7).toString()
  );
}

function shape(value: PropertyValue): string {
  return show(value.text) + "/" + value.toF64().toString() + "/" + (value.toBool() ? "true" : "false");
}

function showMap(map: PropertyMap | null): string {
  if (map === null) return "null";
  const keys = map.keys();
  let text = map.size.toString() + "{";
  for (let i = 0; i < keys.length; i++) text += keys[i] + "=" + shape(map.get(keys[i])!) + ";";
  return text + "}";
}

class Root extends RootContext {
  override onConfigure(_size: u32): bool {
    logInfo("root " + show(plugin.rootId) + show(xds.nodeId) + show(source.address) + source.port.toString());
    logInfo("set " + setProperty("mine", "x").toString());
    return true;
  }

  override createHttpContext(): HttpContext | null {
    return new Filter();
  }
}

class Filter extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const command = this.requestHeaders.get("x-do");
    const path = this.requestHeaders.get("x-path");
    const segments = path === null ? ([] as string[]) : path.split("/");
    if (command == "text") {
      const dotted = segments.join(".");
      logInfo(show(getProperty(dotted)) + show(getProperty(segments)) + bytes(getPropertyBytes(segments)));
    }
    if (command == "read") logInfo(readings(segments));
    if (command == "map") {
      logInfo(showMap(getPropertyMap(segments)));
      const map = getPropertyMap(segments);
      if (map !== null) logInfo(map.get("none") === null ? "none" : "some");
    }
    if (command == "nested") {
      const outer = getPropertyMap(segments)!;
      logInfo(showMap(outer.get("a.b")!.toMap()) + outer.get("list")!.toList().length.toString());
      logInfo(outer.get("n")!.toI64().toString() + " " + outer.get("t")!.toNanoseconds().toString());
    }
    if (command == "list") {
      const list = getPropertyList(segments);
      let text = "null";
      if (list !== null) {
        text = list.length.toString();
        for (let i = 0; i < list.length; i++) text += " " + shape(list[i]);
      }
      logInfo(text);
    }
    if (command == "set") {
      logInfo(setProperty("mine", "first").toString() + show(getProperty("mine")));
      logInfo(setPropertyBytes("binary", Uint8Array.wrap(new ArrayBuffer(2))).toString());
      logInfo(bytes(getPropertyBytes("binary")) + setProperty("empty", "").toString() + show(getProperty("empty")));
      logInfo(setProperty("a.b", "x").toString() + setProperty("c.d", "x").toString());
      logInfo(setProperty(["a.b"], "dotted").toString() + show(getProperty(["a.b"])) + show(getProperty("a.b")));
      logInfo("long " + setProperty("long", "ü".repeat(5000)).toString() + getProperty("long")!.length.toString());
      logInfo(show(getProperty("x".repeat(5000))) + show(getProperty(["y".repeat(3000), "z".repeat(3000)])));
    }
    if (command == "known") {
      logInfo(show(source.address) + show(source.ip) + source.port.toString());
      logInfo(show(destination.address) + show(destination.ip) + destination.port.toString());
      logInfo(connection.id.toString() + (connection.mtls ? " mtls " : " - ") + show(connection.requestedServerName));
      logInfo(show(connection.tlsVersion) + show(connection.uriSanPeerCertificate));
      logInfo(show(upstream.address) + upstream.port.toString() + " " + upstream.numEndpoints.toString());
      logInfo(show(plugin.name) + show(plugin.rootId) + show(plugin.vmId));
      logInfo(show(xds.nodeId) + show(xds.nodeCluster) + show(xds.clusterName) + show(xds.routeName));
      const route = xds.routeMetadata!.get("ns");
      logInfo(showMap(xds.nodeMetadata) + showMap(route === null ? null : route.toMap()));
      logInfo(xds.listenerDirection.toString() + show(xds.virtualHostName) + show(xds.filterChainName));
      logInfo(show(request.protocol) + this.request.time.toString() + " " + this.request.duration.toString());
    }
    return Action.Continue;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    logInfo("later " + show(getProperty("mine")) + show(upstream.address) + upstream.requestAttemptCount.toString());
    return Action.Continue;
  }

  override onLog(): void {
    logInfo("log " + show(getProperty("mine")) + this.request.duration.toString());
  }
}

registerRootContext("root", () => new Root());
