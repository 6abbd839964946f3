// Chooses among Higress' rules and says which: the name of the configuration that a request is for.

import { Action, HttpContext, registerRootContext, RootContext } from "proxy-wasm/assembly";
import { JsonValue, parseJson } from "proxy-wasm/assembly/json";
import { Rules } from "proxy-wasm/assembly/rules";

class Settings {
  name: string;

  constructor(json: JsonValue) {
    this.name = json.get("name").text();
    json.only(["name"]);
  }
}

class Root extends RootContext {
  rules: Rules<Settings> | null = null;

  override onConfigure(_size: u32): bool {
    const config = parseJson(this.configurationBytes);
    this.rules = Rules.read<Settings>(config, (json) => new Settings(json));
    return config.accept();
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
    const settings = this.root.rules!.match();
    this.sendLocalResponse(200, settings !== null ? settings.name : "none");
    return Action.Pause;
  }
}

registerRootContext("", () => new Root());
