// Reads its configuration from JSON into classes of its own and says what it got.

import { Action, HttpContext, logInfo, registerRootContext, RootContext } from "proxy-wasm/assembly";
import { JsonValue, parseJson } from "proxy-wasm/assembly/json";

class Rule {
  path: string;
  limit: u8;

  constructor(json: JsonValue) {
    this.path = json.get("path").text();
    this.limit = json.get("limit").integer<u8>();
  }
}

class Root extends RootContext {
  tags: string[] = [];
  rules: Rule[] = [];

  override onConfigure(_size: u32): bool {
    const config = parseJson(this.configurationBytes);
    const header = config.get("header").text();
    const limit = config.get("limit").integerOr<u32>(100);
    const rate = config.get("rate").numberOr(1);
    const strict = config.get("strict").boolOr(false);
    const tags = config.get("tags").items();
    for (let i = 0; i < tags.length; i++) this.tags.push(tags[i].text());
    const rules = config.get("rules").items();
    for (let i = 0; i < rules.length; i++) this.rules.push(new Rule(rules[i]));
    config.get("other").get("missing").get("deeper").textOr("");
    config.only(["header", "limit", "rate", "strict", "tags", "rules", "other"]);
    if (!config.accept()) return false;
    let line = header + " " + limit.toString() + " " + rate.toString() + " " + strict.toString();
    line += " [" + this.tags.join(",") + "] ";
    for (let i = 0; i < this.rules.length; i++) line += this.rules[i].path + ":" + this.rules[i].limit.toString();
    logInfo(line);
    return true;
  }

  override createHttpContext(): HttpContext {
    return new Stream(this);
  }
}

class Stream extends HttpContext {
  constructor(readonly root: Root) {
    super();
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    parseJson(this.root.configurationBytes).accept();
    return Action.Continue;
  }
}

registerRootContext("", () => new Root());
