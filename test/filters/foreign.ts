// Calls the foreign function that a request names and answers with what came of it; `typed` uses the typed functions.

import {
  Action,
  callForeignFunction,
  foreignFunctionStatus,
  HttpContext,
  registerRootContext,
  RootContext,
} from "proxy-wasm/assembly";
import {
  clearRouteCache,
  compress,
  declareProperty,
  Expression,
  LifeSpan,
  PropertyType,
  setEnvoyFilterState,
  sign,
  SignatureResult,
  signPem,
  uncompress,
  verifySignature,
  verifySignaturePem,
} from "proxy-wasm/assembly/envoy";

class Root extends RootContext {
  expression: Expression | null = null;

  override onConfigure(_size: u32): bool {
    if (this.configuration!.length) this.expression = Expression.create(this.configuration!);
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
    const name = this.requestHeaders.get("x-call");
    if (name === null) return Action.Continue;
    const argument = fromHex(this.requestHeaders.get("x-argument") || "");
    if (this.requestHeaders.has("x-typed")) return this.reply(this.typed(name, argument));
    const result = callForeignFunction(name, argument);
    return this.reply(foreignFunctionStatus().toString() + (result !== null ? " " + toHex(result) : ""));
  }

  typed(name: string, argument: Uint8Array): string {
    if (name == "compress") return toHex(compress(argument)!);
    if (name == "uncompress") {
      const bytes = uncompress(argument);
      return bytes !== null ? toHex(bytes) : "null " + foreignFunctionStatus().toString();
    }
    if (name == "clear_route_cache") return clearRouteCache().toString();
    if (name == "set_envoy_filter_state") {
      return setEnvoyFilterState(this.header("x-name"), this.header("x-value"), LifeSpan.Request).toString();
    }
    if (name == "declare_property") return declareProperty(this.header("x-name"), PropertyType.String).toString();
    const hash = this.header("x-hash");
    const key = fromHex(this.header("x-key"));
    const pem = this.header("x-pem").replaceAll("|", "\n");
    const signature = fromHex(this.header("x-signature"));
    if (name == "sign") return describe(pem.length ? signPem(hash, pem, argument) : sign(hash, key, argument));
    if (name == "verify_signature") {
      return describe(
        pem.length
          ? verifySignaturePem(hash, pem, signature, argument)
          : verifySignature(hash, key, signature, argument),
      );
    }
    if (name == "evaluate") {
      const value = this.root.expression!.evaluate();
      return value !== null ? toHex(value) : "null " + foreignFunctionStatus().toString();
    }
    return "?";
  }

  header(name: string): string {
    return this.requestHeaders.get(name) || "";
  }

  reply(text: string): Action {
    this.sendLocalResponse(200, text + "\n");
    return Action.Pause;
  }
}

function describe(result: SignatureResult): string {
  return (result.ok ? "ok " : "no ") + toHex(result.signature) + " " + result.error;
}

function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.substr(i * 2, 2), 16) as u8;
  return bytes;
}

function toHex(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += (bytes[i] < 16 ? "0" : "") + bytes[i].toString(16);
  return text;
}

registerRootContext("", () => new Root());
