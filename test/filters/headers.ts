// Does to the request's headers what `x-do` says, and puts what it read into the log.

import { Action, Headers, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

class Editor extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const map = this.requestHeaders;
    const command = map.get("x-do");
    if (command == "get") logInfo(this.show(map.get("x-a")));
    if (command == "get-all") logInfo(map.getAll("X-A").join("|"));
    if (command == "has") logInfo((map.has("x-a") ? "a" : "-") + (map.has("x-b") ? "b" : "-"));
    if (command == "bytes") {
      const bytes = map.getBytes("x-a");
      if (bytes !== null) map.setBytes("x-copy", bytes);
      map.appendBytes("x-copy", new Uint8Array(2).fill(0xff));
      const all = map.getAllBytes("x-copy");
      logInfo(all.length.toString() + " " + all[0].toString() + " " + all[1].toString());
    }
    if (command == "set") map.set("X-A", "one");
    if (command == "append") map.append("x-a", "more");
    if (command == "delete") map.delete("x-a");
    if (command == "entries") {
      const entries = map.entries();
      for (let i = 0; i < entries.length; i++) logInfo(entries[i].name + "=" + entries[i].value);
    }
    if (command == "replace-all") {
      const headers = new Headers().append(":method", "GET").append(":path", "/new").append(":authority", "b");
      // Without it Envoy looks for no route.
      headers.append("x-forwarded-proto", "http");
      for (let i = 0; i < 40; i++) headers.append("x-many-" + i.toString(), "value ".repeat(20));
      headers.delete("x-many-7").set("x-many-8", "ü");
      map.replaceAll(headers);
    }
    if (command == "long") map.set("x-long", "ü".repeat(5000) + "€😀");
    if (command == "trailers") map.set("x-seen", this.show(this.requestTrailers.get("x-t")));
    return Action.Continue;
  }

  override onRequestTrailers(count: u32): Action {
    logInfo("trailers " + count.toString() + " " + this.show(this.requestTrailers.get("x-t")));
    this.requestTrailers.set("x-t", "changed");
    return Action.Continue;
  }

  override onResponseTrailers(_count: u32): Action {
    this.responseTrailers.append("x-u", "added");
    return Action.Continue;
  }

  private show(value: string | null): string {
    return value === null ? "null" : '"' + value + '"';
  }
}

registerHttpContext(() => new Editor());
