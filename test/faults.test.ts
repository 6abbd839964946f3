// Host calls that fail because a test wants them to.

import { describe, expect, test } from "vitest";

import { type Filter, loadFilter, type FilterOptions, Status } from "../src/index.ts";
import "../src/vitest.ts";
import { compileSource } from "./support/compile.ts";

const { bytes } = await compileSource(`
  import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";
  class Filter extends HttpContext {
    override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
      const first = this.responseHeaders.set("x-a", "1");
      logInfo([first, this.responseHeaders.set("x-b", "1")].join(" "));
      return Action.Continue;
    }
  }
  registerHttpContext(() => new Filter());`);
const load = (options: FilterOptions): Promise<Filter> => loadFilter(bytes, options);
const call = "proxy_replace_header_map_value";
const upstream = () => ({});

describe("faults", () => {
  test("make a host call answer a status, and not be done", async () => {
    const filter = await load({ faults: { [call]: Status.InternalFailure } });
    const response = await filter.request("/", { upstream });
    expect(response).toHaveLogged("info", "10 10");
    expect(response).toHaveLogged("warn", `${call} answered InternalFailure`);
    expect(response.headers.has("x-a")).toBe(false);
    expect(String(response.trace)).toContain(`${call} → InternalFailure: the test wants it so (faults)`);
  });

  test("may befall some calls only", async () => {
    const filter = await load({ faults: { [call]: (count) => (count === 2 ? Status.BadArgument : undefined) } });
    const response = await filter.request("/", { upstream });
    expect(response).toHaveLogged("info", "0 2");
    expect(response).toHaveHeader("x-a", "1");
    expect(await filter.request("/", { upstream })).toHaveLogged("info", "0 0");
  });

  test("can begin and end at any time", async () => {
    const filter = await load({});
    filter.faults.set(call, Status.Unimplemented);
    expect(await filter.request("/", { upstream })).toHaveLogged("info", "12 12");
    filter.faults.delete(call);
    expect(await filter.request("/", { upstream })).toHaveLogged("info", "0 0");
  });

  test("are for calls that there are", async () => {
    await expect(load({ faults: { proxy_httpcall: Status.Ok } })).rejects.toThrow(
      'there is no host call "proxy_httpcall" to fail',
    );
  });
});
