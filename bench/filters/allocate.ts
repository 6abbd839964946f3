import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";

/** Keeps 1 kB as long as its stream lives. */
class Allocate extends HttpContext {
  private kept: Uint8Array | null = null;

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    this.kept = new Uint8Array(1024).fill(this.id as u8);
    return Action.Continue;
  }

  override onDelete(): void {
    // The first and the last byte tell whether the collector, or a neighbour, has been at them.
    const kept = this.kept!;
    assert(kept[0] == (this.id as u8) && kept[1023] == (this.id as u8), "the bytes of a stream have changed");
  }
}
registerHttpContext(() => new Allocate());
