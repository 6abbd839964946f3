// A small filter for each family of the SDK: what an author pays for it, beside what every filter has.

const sdk = (names) => `import { ${names} } from "proxy-wasm/assembly";\n`;

/** A filter that does this to the headers of a request. `names` are imported; `before` stands before its class. */
function onRequest(statements, names = "", before = "") {
  return `${sdk(`Action, HttpContext, registerHttpContext${names && `, ${names}`}`)}${before}
class Filter extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    ${statements}
    return Action.Continue;
  }
}
registerHttpContext(() => new Filter());
`;
}

/** A filter whose root context has these methods. */
function root(methods, names = "", before = "") {
  return `${sdk(`registerRootContext, RootContext${names && `, ${names}`}`)}${before}
class Root extends RootContext {
  ${methods}
}
registerRootContext("", () => new Root());
`;
}

const json = 'import { parseJson } from "proxy-wasm/assembly/json";\n';

/** The families by name, each with its filter. */
export const families = {
  "nothing at all": onRequest(""),
  "reading a header": onRequest('if (this.requestHeaders.get("a") === null) return Action.Pause;'),
  "setting a header": onRequest('this.requestHeaders.set("a", "b");'),
  "all headers": onRequest('if (this.requestHeaders.copy().getAll("a").length) return Action.Pause;'),
  "local reply": onRequest('this.sendLocalResponse(403, "denied");'),
  "whole bodies": `${sdk("Action, BodyContext, registerHttpContext")}
class Filter extends BodyContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    return this.collectRequestBody(1024);
  }
  override onWholeRequestBody(_size: u32): Action {
    this.requestBody.prepend("a");
    return Action.Continue;
  }
}
registerHttpContext(() => new Filter());
`,
  "bodies in pieces": `${sdk("Action, BodyContext, registerHttpContext")}
class Filter extends BodyContext {
  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.rewriteResponseBody();
    return Action.Continue;
  }
  override onResponseChunk(chunk: Uint8Array, _last: bool): Uint8Array | null {
    return chunk.length > 10 ? null : chunk;
  }
}
registerHttpContext(() => new Filter());
`,
  TCP: `${sdk("Action, registerStreamContext, StreamContext")}
class Filter extends StreamContext {
  override onDownstreamData(_size: u32, _endOfStream: bool): Action {
    this.downstreamData.append("a");
    return Action.Continue;
  }
}
registerStreamContext(() => new Filter());
`,
  "HTTP callouts": onRequest(
    `const call = new HttpCall("auth").get("/check");
    if (this.httpCall<Filter>(call, (self, response) => {
      if (response.status == 200) self.continueRequest();
    }) == Status.Ok) return Action.Pause;`,
    "HttpCall, Status",
  ),
  "gRPC calls": onRequest(
    `const call = new GrpcCall("auth", "Auth", "Check");
    if (this.grpcCall<Filter>(call, (self, response) => {
      if (response.message !== null) self.continueRequest();
    }) == Status.Ok) return Action.Pause;`,
    "GrpcCall, Status",
  ),
  names: onRequest(
    `if (this.resolveDns<Filter>("localhost", (self, answer) => {
      if (!answer.failed) self.continueRequest();
    }) == Status.Ok) return Action.Pause;`,
    "Status",
  ),
  statistics: root(
    `override onStatsUpdate(stats: StatsUpdate): void {
    while (stats.next()) if (stats.delta) logInfo(stats.name);
  }`,
    "logInfo, StatsUpdate",
  ),
  "request.path": onRequest("if (request.path === null) return Action.Pause;", "request"),
  "a property": onRequest('if (getPropertyI64(["connection", "id"]) > 1) return Action.Pause;', "getPropertyI64"),
  counter: onRequest("requests.increment();", "Counter", 'const requests = new Counter("requests");'),
  "shared data": onRequest('SharedData.set("a", "b");', "SharedData"),
  queue: root(
    `override onConfigure(_size: u32): bool {
    return this.subscribe<Root>("jobs", (_self, item) => logInfo(item)) == Status.Ok;
  }`,
    "logInfo, Status",
  ),
  timers: root(
    `override onConfigure(_size: u32): bool {
    this.setTimer<Root>(100, (self) => logInfo("a"));
    return true;
  }`,
    "logInfo",
  ),
  "configuration as text": root("override onConfigure(_size: u32): bool { return this.configuration != null; }"),
  "configuration as JSON": root(
    `override onConfigure(_size: u32): bool {
    const config = parseJson(this.configurationBytes);
    this.limit = config.get("limit").integerOr<u32>(100);
    return config.accept();
  }
  limit: u32 = 0;`,
    "",
    json,
  ),
  "Envoy's functions": onRequest(
    "clearRouteCache();",
    "",
    'import { clearRouteCache } from "proxy-wasm/assembly/envoy";\n',
  ),
  "console.log": onRequest('console.log("a");'),
  "Date.now": onRequest("if (Date.now() < 1) return Action.Pause;"),
  "Math.random": onRequest("if (Math.random() < 0.5) return Action.Pause;"),
  "crypto.getRandomValues": onRequest("crypto.getRandomValues(new Uint8Array(8));"),
  "process.env": onRequest('if (process.env.has("a")) return Action.Pause;'),
  trace: onRequest('trace("a", 1, 2);'),
};
