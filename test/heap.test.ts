// The heap of a filter: what is referred to stays, what is not is used again, also inside a callback.

import { describe, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import { compileSource } from "./support/compile.ts";

/** Builds and drops all kinds of objects, and says in the log what came of it. */
const workload = `
import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

class Node {
  next: Node | null = null;
  label: string = "";
  constructor(readonly number: i32) {}
}

const names = new Map<string, Node>();
let longest: Node | null = null;

class Workload extends HttpContext {
  kept: Node[] = [];
  text: string = "";
  bytes: Uint8Array = new Uint8Array(3);

  override onRequestHeaders(count: u32, endOfStream: bool): Action {
    for (let i = 0; i < 60; i++) {
      const node = new Node(i);
      node.label = "n" + i.toString();
      if (i % 3 == 0) this.kept.push(node);
      if (i % 5 == 0) names.set(node.label, node);
      if (i % 7 == 0) { node.next = longest; longest = node; }
    }
    this.text = this.requestHeaders.get(":path")! + "|" + this.kept.length.toString();
    const grown = heap.realloc(heap.alloc(10), 1000);
    this.bytes = Uint8Array.wrap(String.UTF8.encode(this.text));
    heap.free(grown);
    return Action.Continue;
  }

  override onResponseHeaders(count: u32, endOfStream: bool): Action {
    let sum = 0;
    for (let i = 0; i < this.kept.length; i++) sum += this.kept[i].number + this.kept[i].label.length;
    let length = 0;
    for (let node: Node | null = longest; node !== null; node = node!.next) length += node.label.length;
    const keys = names.keys();
    let spelled = "";
    for (let i = 0; i < keys.length; i++) spelled += keys[i] + names.get(keys[i]).number.toString();
    logInfo([this.text, sum.toString(), length.toString(), spelled, String.UTF8.decode(this.bytes.buffer)].join(" "));
    return Action.Continue;
  }
}
registerHttpContext(() => new Workload());
`;

/** Makes no object before the host asks for room. */
const longAnswer = `
import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

class Body extends HttpContext {
  override onRequestBody(_size: u32, _endOfStream: bool): Action {
    logInfo("got " + this.requestBody.bytes().length.toString());
    return Action.Continue;
  }
}
registerHttpContext(() => new Body());
`;

/** As filters are built, then with what is freed overwritten, then also collected before every allocation. */
const builds = [[], ["--use", "GC_STRESS=1"], ["--use", "GC_STRESS=2"]];

/** Frees and enlarges what it holds, and what it does not. */
const releases = `
import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

const area: usize = memory.data(64, 16);
let held: usize = 0;

class Releases extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    heap.free(0);
    memory.fill(area, 0x55, 64);
    heap.free(area + 32);
    const grown = heap.realloc(area, 100);
    const fresh = heap.realloc(0, 10);
    let isRight = grown >= __heap_base && fresh >= __heap_base && load<u8>(grown, 63) == 0x55;
    for (let i = 0; i < 64; i++) if (load<u8>(area + i) != 0x55) isRight = false;
    heap.free(fresh);
    heap.free(grown);
    heap.free(grown);
    held = heap.alloc(4);
    store<u32>(held, 1234);
    logInfo(isRight.toString());
    return Action.Continue;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    logInfo("x".repeat(200).slice(200) + load<u32>(held).toString());
    return Action.Continue;
  }
}
registerHttpContext(() => new Releases());
`;

/** Enlarges what lies where something else lay. */
const grows = `
import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

class Grows extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    for (let i = 0; i < 400; i++) String.UTF8.encode("of another stream " + i.toString());
    __collect();
    let dirty = 0;
    for (let i = 0; i < 40; i++) {
      const bytes = new Array<u8>(301 + i);
      const before = bytes.length;
      bytes.length += 3;
      for (let at = before; at < bytes.length; at++) if (bytes[at]) dirty++;
      const full = new Uint8Array(300).fill(7).buffer;
      const buffer = __renew(__renew(changetype<usize>(full), 10), 300);
      for (let at = 10; at < 300; at++) if (load<u8>(buffer + at)) dirty++;
    }
    logInfo(dirty.toString());
    return Action.Continue;
  }
}
registerHttpContext(() => new Grows());
`;

/** Sorts what lives longer than a callback, and what does not, by a comparator that makes objects, and enlarges a list. */
const sorts = `
import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

class Item {
  constructor(readonly name: string) {}
}
const old: Item[] = [];
let enlarged: Item[] = [];

function make(count: i32): Item[] {
  const items = new Array<Item>();
  for (let i = 0; i < count; i++) items.push(new Item("N" + ((i * 7919) % 1009).toString()));
  return items;
}

function compare(a: Item, b: Item): i32 {
  const left = a.name.toLowerCase();
  const right = b.name.toLowerCase();
  return left < right ? -1 : left > right ? 1 : 0;
}

function disorder(items: Item[]): i32 {
  let count = 0;
  for (let i = 1; i < items.length; i++) if (compare(items[i - 1], items[i]) > 0) count++;
  return count;
}

class Sorts extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    if (!old.length) {
      const made = make(100);
      for (let i = 0; i < made.length; i++) old.push(made[i]);
    }
    let wrong = 0;
    const few = make(40);
    const many = make(100);
    const fixed = StaticArray.fromArray(make(60));
    for (let i = 0; i < 3; i++) {
      wrong += disorder(old.sort(compare)) + disorder(few.sort(compare)) + disorder(many.sort(compare));
      wrong += disorder(fixed.sort(compare).slice<Item[]>());
      old.sort((a, b) => compare(b, a));
      few.reverse();
      many.sort((a, b) => a.name.length - b.name.length);
    }
    const numbers = new Array<f64>();
    for (let i = 0; i < 200; i++) numbers.push((i * 7919) % 1009);
    numbers.sort((a, b) => "x".repeat(a as i32).length - (b as i32));
    for (let i = 1; i < numbers.length; i++) if (numbers[i - 1] > numbers[i]) wrong++;
    // minimal gives memory back at once, and so loses an array that moves.
    if (ASC_RUNTIME != 1) {
      enlarged = make(60);
      enlarged.sort((a, b) => {
        enlarged.push(new Item("N"));
        return compare(a, b);
      });
    }
    for (let i = 0; i < enlarged.length; i++) if (!enlarged[i].name.startsWith("N")) wrong++;
    logInfo(wrong.toString());
    return Action.Continue;
  }
}
registerHttpContext(() => new Sorts());
`;

/** Three streams side by side; their log lines. */
async function run(bytes: Uint8Array): Promise<string[]> {
  const lines: string[] = [];
  const filter = await loadFilter(bytes, { onLog: ({ message }) => lines.push(message) });
  const streams = [1, 2, 3].map((number) => {
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "GET", ":path": `/${number}`, ":authority": "a" }, { endStream: true });
    return stream;
  });
  for (const stream of streams.reverse()) stream.responseHeaders({ ":status": "200" }, { endStream: true });
  expect(filter.trap).toBeNull();
  return lines;
}

describe("a heap", () => {
  test.each(builds.map((flags) => [flags]))("%j holds what asc's own runtime holds", async (flags) => {
    const own = await compileSource(workload, flags);
    const theirs = await compileSource(workload, ["--runtime", "incremental"]);
    const lines = await run(own.bytes);
    expect(lines).toHaveLength(3);
    expect(lines).toEqual(await run(theirs.bytes));
  });

  test.each(builds.map((flags) => [flags]))("%j refuses room for an answer that is too long", async (flags) => {
    const { bytes } = await compileSource(longAnswer, flags);
    const filter = await loadFilter(bytes, { limits: { memoryPages: 10, callbackMs: 5000 } });
    const send = async (size: number) =>
      (await filter.request({ method: "POST", body: "x".repeat(size) }, { upstream: () => ({}) })).logs;
    const [warning, line] = await send(700_000);
    expect(warning!.message).toContain("proxy_get_buffer_bytes answered InvalidMemoryAccess");
    expect(line!.message).toBe("got 0");
    expect((await send(100))[0]!.message).toBe("got 100");
    expect(filter.trap).toBeNull();
  });

  test.each(builds.map((flags) => [flags]))("%j frees nothing that is not held", async (flags) => {
    const filter = await loadFilter((await compileSource(releases, flags)).bytes);
    for (let i = 0; i < 3; i++) {
      const { logs } = await filter.request("/", { upstream: () => ({}) });
      expect(filter.trap).toBeNull();
      expect(logs.map(({ message }) => message)).toEqual(["true", "1234"]);
    }
  });

  test.each(builds.map((flags) => [flags]))("%j shows nothing of what was before", async (flags) => {
    const filter = await loadFilter((await compileSource(grows, flags)).bytes);
    for (let i = 0; i < 3; i++) {
      const { logs } = await filter.request("/", { upstream: () => ({}) });
      expect(logs.map(({ message }) => message)).toEqual(["0"]);
    }
  });

  test.each([...builds, ["--runtime", "incremental"], ["--runtime", "minimal"]].map((flags) => [flags]))(
    "%j holds what is being sorted",
    async (flags) => {
      const filter = await loadFilter((await compileSource(sorts, flags)).bytes);
      for (let i = 0; i < 5; i++) {
        const { logs } = await filter.request("/", { upstream: () => ({}) });
        expect(filter.trap).toBeNull();
        expect(logs.map(({ message }) => message)).toEqual(["0"]);
      }
    },
  );

  test.each([
    ["text", 'kept = changetype<Object>(this.requestHeaders.get("x-empty")!)', "changetype<string>(kept!).length"],
    ["bytes", "kept = changetype<Object>(new ArrayBuffer(0))", "changetype<ArrayBuffer>(kept!).byteLength"],
    ["an object without fields", "kept = new Nothing()", "changetype<OBJECT>(changetype<usize>(kept!) - 20).rtSize"],
  ])("keeps %s of no size that a callback made last", async (_what, make, size) => {
    const { bytes } = await compileSource(`
      import { OBJECT } from "rt/common";
      import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";
      class Nothing {}
      let kept: Object | null = null;
      class Empty extends HttpContext {
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          ${make};
          return Action.Continue;
        }
        override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
          const other = "something else".repeat(10);
          logInfo((${size}).toString() + other.slice(0, 0));
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Empty());
    `);
    const filter = await loadFilter(bytes);
    const response = await filter.request({ headers: { "x-empty": "" } }, { upstream: () => ({}) });
    expect(response.logs.map(({ message }) => message)).toEqual(["0"]);
  });

  test("marks a list of a million objects", async () => {
    const { bytes } = await compileSource(`
      import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";
      class Node { constructor(readonly next: Node | null) {} }
      class Deep extends HttpContext {
        list: Node | null = null;
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          for (let i = 0; i < 1_000_000; i++) this.list = new Node(this.list);
          __collect();
          let count = 0;
          for (let node: Node | null = this.list; node !== null; node = node!.next) count++;
          logInfo(count.toString());
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Deep());
    `);
    const filter = await loadFilter(bytes);
    const response = await filter.request("/", { upstream: () => ({}) });
    expect(response.logs.map(({ message }) => message)).toEqual(["1000000"]);
  });

  test.each([
    ["new Uint8Array(0x3fffffff)", "Invalid length"],
    ["heap.alloc(0x40000000)", "allocation too large"],
    ["for (;;) heap.alloc(0x1000000)", "out of memory"],
  ])("says why there is no room: %s", async (statement, reason) => {
    const { bytes } = await compileSource(`
      import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
      class Large extends HttpContext {
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          ${statement};
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Large());
    `);
    const filter = await loadFilter(bytes, { limits: { memoryPages: 1024 } });
    expect((await filter.request("/")).status).toBe(503);
    expect(filter.trap).toContain(reason);
  });
});

describe("pinned objects", () => {
  test("live until they are unpinned as often", async () => {
    const { bytes } = await compileSource(
      `
      import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";
      let pinned: usize = 0;
      class Pin extends HttpContext {
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          const text = "pinned " + this.id.toString();
          pinned = __pin(__pin(changetype<usize>(text)));
          __unpin(pinned);
          return Action.Continue;
        }
        override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
          logInfo(changetype<string>(pinned));
          __unpin(pinned);
          __unpin(pinned);
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Pin());`,
      ["--use", "GC_STRESS=2"],
    );
    const filter = await loadFilter(bytes);
    const response = await filter.request("/", { upstream: () => ({}) });
    expect(response.logs[0]!.message).toBe("pinned 2");
    expect(filter.trap).toContain("the object is not pinned");
  });
});
