// Shared data: what the SDK makes of it, and the host's rules.

import { beforeAll, describe, expect, test } from "vitest";

import { type Filter, loadFilter, ProxyState, Status, type VirtualClock } from "../src/index.ts";
import { type Compiled, compileFilter, compileSource, filterWat, hostCall } from "./support/compile.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("shared-data");
});

const load = (options = {}) => loadFilter(compiled.bytes, options);

async function send(filter: Filter, command: string, key = "k", value = ""): Promise<string | undefined> {
  const headers = { "x-do": command, "x-key": key, "x-value": value };
  return (await filter.request({ headers }, { upstream: () => ({}) })).logs.at(-1)?.message;
}

describe("a filter", () => {
  test("tells what is not there from what is empty", async () => {
    const filter = await load();
    expect(await send(filter, "get")).toBe("null");
    await send(filter, "set", "k", "");
    expect(await send(filter, "get")).toBe('""');
    await send(filter, "set", "k", "ü €");
    expect(await send(filter, "get")).toBe('"ü €"');
    expect(filter.shared.get("k")).toBe("ü €");
    expect(filter.shared.get("other")).toBeNull();
    expect(filter.shared.keys()).toEqual(["k"]);
  });

  test("shares bytes, values larger than the region, and what the test has set", async () => {
    const filter = await load();
    expect(await send(filter, "bytes")).toBe("255,255,255");
    expect(filter.shared.getBytes("k")).toEqual(Uint8Array.of(255, 255, 255));
    filter.shared.set("k", "long ".repeat(5000));
    expect(await send(filter, "get")).toBe(`"${"long ".repeat(5000)}"`);
  });

  test("sees that a value has changed since it was read", async () => {
    const filter = await load();
    filter.shared.set("k", "first");
    expect(await send(filter, "stale")).toBe(`first ${Status.Ok} ${Status.CasMismatch}`);
    expect(filter.shared.get("k")).toBe("second");
  });

  test("creates what is not there, and only that", async () => {
    const filter = await load();
    expect(await send(filter, "create")).toBe(String(Status.Ok));
    filter.shared.set("k", "theirs");
    expect(await send(filter, "create")).toBe(String(Status.CasMismatch));
    expect(filter.shared.get("k")).toBe("theirs");
  });

  test("changes a value, by a function and by one with a context", async () => {
    const filter = await load();
    for (let i = 0; i < 3; i++) await send(filter, "update");
    expect(filter.shared.get("k")).toBe("3");
    await send(filter, "update-with");
    expect(filter.shared.get("k")).toBe("6");
    await send(filter, "update-with", "new");
    expect(filter.shared.get("new")).toBe("2");
    const before = filter.shared.cas("k");
    expect(await send(filter, "leave")).toBe(String(Status.Ok));
    expect(filter.shared.cas("k")).toBe(before);
    await send(filter, "update-bytes", "b");
    await send(filter, "update-bytes", "b");
    expect(filter.shared.getBytes("b")).toEqual(Uint8Array.of(0, 7, 7));
  });

  test("shares with other workers and with others of its vm_id, and with nobody else", async () => {
    const proxy = new ProxyState();
    const filter = await load({ proxy, vmId: "a" });
    const [same, other] = [await load({ proxy, vmId: "a", vmConfig: "2" }), await load({ proxy, vmId: "b" })];
    await send(filter, "set", "k", "shared");
    expect(await send(filter.worker(), "get")).toBe('"shared"');
    expect(await send(same, "get")).toBe('"shared"');
    expect(await send(other, "get")).toBe("null");
    expect(await send(await load({ vmId: "a" }), "get")).toBe("null");
  });

  test("loses what it shared when the last of its vm_id has gone", async () => {
    const proxy = new ProxyState();
    const filter = await load({ proxy, vmId: "a" });
    const same = await load({ proxy, vmId: "a", vmConfig: "2" });
    await send(filter, "set", "k", "kept");
    filter.close();
    expect(same.shared.get("k")).toBe("kept");
    same.close();
    expect(same.shared.get("k")).toBeNull();
  });

  test("has a lease in one VM at a time, and in none while it belongs to one that has gone", async () => {
    const filter = await load();
    filter.worker();
    filter.worker();
    const clock = filter.clock as VirtualClock;
    clock.advance(10_000);
    expect(filter.shared.get("ticks")).toBe("10");
    expect(filter.metric("ticked").value).toBe(30);
    const until = new Uint8Array(8);
    new DataView(until.buffer).setBigUint64(0, clock.now() + 3_500_000_000n, true);
    filter.shared.set("lease", until);
    clock.advance(3000);
    expect(filter.shared.get("ticks")).toBe("10");
    clock.advance(2000);
    expect(filter.shared.get("ticks")).toBe("12");
  });
});

describe("an update", () => {
  /** Runs an update on a host of whose answers the test decides. */
  async function update(answers: {
    get: (n: number) => { status: number; value?: string; cas?: number };
    set: (cas: number, value: string, n: number) => number;
  }): Promise<{ status: number; calls: string[] }> {
    const { bytes } = await compileSource(`
      import { Action, HttpContext, registerHttpContext, SharedData } from "proxy-wasm/assembly";
      class Filter extends HttpContext {
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          return SharedData.update("k", (value) => (value === null ? "new" : value + "+")) as u32 as Action;
        }
      }
      registerHttpContext(() => new Filter());`);
    const calls: string[] = [];
    let [gets, sets] = [0, 0];
    const memory = (): Buffer => Buffer.from((exports["memory"] as WebAssembly.Memory).buffer);
    const env = {
      proxy_log: () => 0,
      proxy_get_shared_data(_key: number, _keySize: number, data: number, size: number, returnCas: number) {
        const { status, value = "", cas = 0 } = answers.get(gets++);
        if (status) return status;
        const at = call("malloc", value.length);
        memory().write(value, at);
        memory().writeUInt32LE(at, data);
        memory().writeUInt32LE(value.length, size);
        memory().writeUInt32LE(cas, returnCas);
        return 0;
      },
      proxy_set_shared_data(_key: number, _keySize: number, at: number, size: number, cas: number) {
        const value = memory().toString("utf8", at, at + size);
        calls.push(`${value} if ${cas >>> 0}`);
        return answers.set(cas >>> 0, value, sets++);
      },
    };
    const { instance } = await WebAssembly.instantiate(Uint8Array.from(bytes), { env });
    const { exports } = instance;
    const call = (name: string, ...args: number[]) => (exports[name] as (...args: number[]) => number)(...args);
    call("_initialize");
    call("proxy_on_context_create", 1, 0);
    call("proxy_on_context_create", 2, 1);
    return { status: call("proxy_on_request_headers", 2, 1, 1), calls };
  }

  test("reads again when another VM has created the key meanwhile", async () => {
    const { status, calls } = await update({
      get: (n) => (n ? { status: Status.Ok, value: "theirs", cas: 5 } : { status: Status.NotFound }),
      set: (cas) => (cas === 5 ? Status.Ok : Status.CasMismatch),
    });
    expect(calls).toEqual(["new if 4294967295", "theirs+ if 5"]);
    expect(status).toBe(Status.Ok);
  });

  test("creates by 0 where a host knows the missing key by that, as ngx_wasm_module does", async () => {
    const { status, calls } = await update({
      get: () => ({ status: Status.NotFound }),
      set: (cas) => (cas ? Status.CasMismatch : Status.Ok),
    });
    expect(calls).toEqual(["new if 4294967295", "new if 0"]);
    expect(status).toBe(Status.Ok);
  });

  test("gives up after a hundred tries, and at once when the host fails", async () => {
    const busy = await update({
      get: (n) => ({ status: Status.Ok, value: "v", cas: n + 1 }),
      set: () => Status.CasMismatch,
    });
    expect(busy.status).toBe(Status.CasMismatch);
    expect(busy.calls).toHaveLength(100);
    const failing = await update({
      get: () => ({ status: Status.InternalFailure }),
      set: () => Status.InternalFailure,
    });
    expect(failing).toEqual({ status: Status.InternalFailure, calls: ["new if 4294967295"] });
  });
});

describe("the host", () => {
  test("counts its numbers over all keys, and checks addresses before it looks", async () => {
    const get = (key: number, out = 128): string =>
      `(drop (call $get_shared_data (i32.const ${key}) (i32.const 1) (i32.const ${out}) (i32.const 132) (i32.const 136)))`;
    const set = (key: number, cas: number, size = 1): string =>
      `(drop (call $set_shared_data (i32.const ${key}) (i32.const 1) (i32.const ${key}) (i32.const ${size}) (i32.const ${cas})))`;
    const filter = await loadFilter(
      filterWat({
        imports: hostCall("get_shared_data", 5) + hostCall("set_shared_data", 5),
        data: "ab",
        functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          ${get(16)} ${set(16, 999)} ${set(17, 0)} ${set(16, 2)} ${set(16, 1)} ${set(16, 0)}
          ${get(1e6)} ${set(16, 0, 1e6)} ${get(16, 1e6)} (i32.const 0))`,
      }),
    );
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "GET" });
    const calls = stream.trace.events.flatMap((event) => (event.kind === "call" ? [event] : []));
    const { Ok, NotFound, CasMismatch, InvalidMemoryAccess } = Status;
    expect(calls.map((call) => call.status)).toEqual([
      NotFound,
      Ok,
      Ok,
      CasMismatch,
      Ok,
      Ok,
      InvalidMemoryAccess,
      InvalidMemoryAccess,
      InvalidMemoryAccess,
    ]);
    expect(calls[3]!.reason).toBe('the shared data under "a" has changed: its number is 1, not 2. Read it again');
    expect([filter.shared.cas("a"), filter.shared.cas("b")]).toEqual([4, 2]);
  });
});
