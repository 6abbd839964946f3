// What a filter passes is checked: places outside its memory, numbers that stand for nothing, allocators that fail.

import { describe, expect, test } from "vitest";

import { type FilterOptions, loadFilter, Status, type TraceEvent } from "../src/index.ts";
import { filterWat, hostCall } from "./support/compile.ts";

/** Makes one host call in on_request_headers and gives its status and reason, and the two words at 64 and 68. */
async function call(
  name: string,
  args: number[],
  parts: { malloc?: string; before?: string; options?: FilterOptions } = {},
) {
  const filter = await loadFilter(
    filterWat({
      imports: hostCall(name, args.length) + (name === "log" ? "" : hostCall("log", 3)),
      data: ":path",
      ...(parts.malloc !== undefined && { malloc: parts.malloc }),
      functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (i64.store (i32.const 64) (i64.const -1)) ${parts.before ?? ""}
        (drop (call $${name} ${args.map((arg) => `(i32.const ${arg})`).join(" ")}))
        ${name === "log" ? "" : "(drop (call $log (i32.const 2) (i32.const 64) (i32.const 8)))"}
        (i32.const 0))`,
    }),
    parts.options,
  );
  const stream = filter.stream();
  stream.requestHeaders({ ":method": "GET", ":path": "/abc", ":authority": "a" }, { endStream: true });
  const event = stream.trace.events.find((one): one is TraceEvent & { kind: "call" } => one.kind === "call")!;
  return { status: event.status, reason: event.reason ?? "", stream };
}

const size = 131072;

describe("a place outside the memory", () => {
  test.each([
    ["the name", "get_header_map_value", [0, size - 2, 5, 64, 68]],
    ["the name, far out", "get_header_map_value", [0, -1, 0, 64, 68]],
    ["the address of the answer", "get_header_map_value", [0, 16, 5, size - 3, 68]],
    ["the size of the answer", "get_header_map_value", [0, 16, 5, 64, -4]],
    ["the pairs", "set_header_map_pairs", [0, 16, size]],
    ["the message", "log", [2, 16, size]],
    ["the new content", "set_buffer_bytes", [0, 0, 0, size, 1]],
    ["the headers of a reply", "send_local_response", [200, 0, 0, 0, 0, size, 1, -1]],
    ["the time", "get_current_time_nanoseconds", [size - 7]],
  ])("is refused: %s", async (_what, name, args) => {
    const { status, reason } = await call(name, args);
    expect(status).toBe(Status.InvalidMemoryAccess);
    expect(reason).toMatch(/lies outside the filter's memory of 131072 bytes/);
  });

  test("is not one that is empty at the very end", async () => {
    expect((await call("get_header_map_value", [0, size, 0, 64, 68])).status).toBe(Status.NotFound);
  });
});

describe("a number that stands for nothing", () => {
  test.each([
    ["get_header_map_value", [8, 16, 5, 64, 68], "there is no header map 8"],
    ["get_header_map_pairs", [-1, 64, 68], "there is no header map 4294967295"],
    ["get_buffer_bytes", [9, 0, 1, 64, 68], "there is no buffer 9"],
    ["log", [6, 16, 1], "there is no log level 6"],
    ["continue_stream", [4], "there is no stream type 4"],
    ["set_effective_context", [99], "there is no context 99"],
  ])("is refused: %s", async (name, args, reason) => {
    const answer = await call(name, args);
    expect(answer.status).toBe(Status.BadArgument);
    expect(answer.reason).toContain(reason);
  });

  test("is found before a bad place", async () => {
    expect((await call("get_header_map_value", [8, size, 5, 64, 68])).status).toBe(Status.BadArgument);
  });
});

describe("answers", () => {
  test("leave the places for them alone when there is none", async () => {
    const { status, stream } = await call("get_header_map_value", [0, 16, 4, 64, 68]);
    expect(status).toBe(Status.NotFound);
    expect(stream.logs[0]!.message).toBe("\uFFFD".repeat(8));
  });

  test.each([
    ["gives nothing", '(func (export "malloc") (param i32) (result i32) (i32.const 0))'],
    ["gives a place outside", '(func (export "malloc") (param i32) (result i32) (i32.const -8))'],
  ])("are refused when the allocator %s", async (_what, malloc) => {
    const { status, reason } = await call("get_header_map_value", [0, 16, 5, 64, 68], { malloc });
    expect(status).toBe(Status.InvalidMemoryAccess);
    expect(reason).toContain("the filter's allocator gave");
  });

  test("fail the filter only when its callback has returned, if the allocator traps", async () => {
    const { status, stream } = await call("get_header_map_value", [0, 16, 5, 64, 68], {
      malloc: '(func (export "malloc") (param i32) (result i32) unreachable)',
    });
    expect(status).toBe(Status.InvalidMemoryAccess);
    expect(stream.logs).toHaveLength(1);
    expect(stream.localReply?.status).toBe(503);
  });

  test("arrive when the memory grows while room is made for them", async () => {
    const { status, stream } = await call("get_header_map_value", [0, 16, 5, 64, 68], {
      malloc:
        '(func (export "malloc") (param i32) (result i32) (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)))',
    });
    expect(status).toBe(Status.Ok);
    expect(stream.logs[0]!.message).toBe("\0\0\x02\0\x04\0\0\0");
  });
});

describe("header maps that are not there now", () => {
  test.each([1, 2, 3, 4, 5, 6, 7])("are refused with when they are: %i", async (type) => {
    const { status, reason } = await call("get_header_map_value", [type, 16, 5, 64, 68]);
    expect(status).toBe(Status.BadArgument);
    expect(reason).toMatch(
      /cannot be used in on_request_headers: Envoy has them from|in the callback that brings them only/,
    );
  });

  test("are empty as pairs", async () => {
    const { status, stream } = await call("get_header_map_pairs", [2, 64, 68]);
    expect(status).toBe(Status.Ok);
    expect(stream.logs[0]!.message).toBe("\0".repeat(8));
  });
});

describe("lists that are malformed", () => {
  test("empty the map, and Ok is the answer", async () => {
    const { status, stream } = await call("set_header_map_pairs", [0, 16, 5]);
    expect(status).toBe(Status.Ok);
    expect(stream.upstream.headers.size).toBe(0);
  });
});
