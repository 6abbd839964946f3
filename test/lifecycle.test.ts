// The end of a root context, and what only some hosts say.

import { expect, test } from "vitest";

import { loadFilter, ProxyState } from "../src/index.ts";
import "../src/vitest.ts";
import { compileSource } from "./support/compile.ts";

const imports = `
  import { Action, callStatus, HttpContext, logInfo, registerHttpContext, registerRootContext, RootContext }
    from "proxy-wasm/assembly";
`;

test("onDone that answers false keeps a root context until done()", async () => {
  const { bytes } = await compileSource(`${imports}
    class Root extends RootContext {
      finished: bool = false;
      override onConfigure(_size: u32): bool {
        logInfo("early " + this.done().toString());
        return this.setTickPeriodMs(100) == 0;
      }
      override onTick(): void { if (this.finished) logInfo("done " + this.done().toString()); }
      override onDone(): bool { this.finished = true; return false; }
      override onDelete(): void { logInfo("delete"); }
    }
    registerRootContext("", () => new Root());`);
  const lines: string[] = [];
  const proxy = new ProxyState();
  const onLog = ({ message }: { message: string }): void => void lines.push(message);
  // Another plugin keeps the VM.
  await loadFilter(bytes, { proxy, name: "other", config: "other" });
  const filter = await loadFilter(bytes, { proxy, name: "one", config: "one", onLog });
  filter.close();
  expect(lines).toEqual(["early 1"]);
  (filter.clock as { advance?(milliseconds: number): void }).advance!(100);
  expect(lines).toEqual(["early 1", "done 0", "delete"]);
});

test("the size of a header map is that of its names and values; there is a status without a callout", async () => {
  const { bytes } = await compileSource(`${imports}
    class Filter extends HttpContext {
      override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
        const headers = this.responseHeaders;
        const size = headers.byteSize;
        headers.set("x-a", "12345");
        const status = callStatus()!;
        logInfo([headers.byteSize - size, this.requestHeaders.byteSize, status.code].join(" ") + status.message);
        return Action.Continue;
      }
    }
    registerHttpContext(() => new Filter());`);
  const response = await (await loadFilter(bytes)).request("/", { upstream: () => ({}) });
  expect(response).toHaveLogged("info", "8 0 0");
});
