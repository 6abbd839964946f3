import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";

/** Makes as much garbage as one callback can from little input: as many characters, one by one, as there are headers. */
class Concat extends HttpContext {
  override onRequestHeaders(count: u32, _endOfStream: bool): Action {
    let text = "";
    for (let i: u32 = 0; i < count; i++) text += "x";
    return (text.length as u32) == count ? Action.Continue : Action.Pause;
  }
}
registerHttpContext(() => new Concat());
