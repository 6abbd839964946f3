// Requests that the router sends again, as users of the library see it; test/conformance has what Envoy did.

import { describe, expect, test } from "vitest";

import {
  type Filter,
  type FilterOptions,
  type FilterStream,
  loadFilter,
  SystemClock,
  type Upstream,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamResponse,
  type VirtualClock,
} from "../src/index.ts";
import "../src/vitest.ts";
import { filterOf } from "./conformance/probe.ts";
import { set } from "./conformance/scenario.ts";

/** A filter that sets these of the router's headers. */
function asking(wishes: Readonly<Record<string, string>>, options: FilterOptions = {}): Promise<Filter> {
  const steps = Object.entries(wishes).map(([name, value]) => set(0, `x-envoy-${name}`, value));
  return loadFilter(filterOf({ name: "", on: { request_headers: steps } }).bytes, options);
}

/** An upstream that answers so in turn, and what it was asked. */
function inTurn(...answers: readonly (() => ReturnType<Upstream>)[]): { upstream: Upstream; asked: UpstreamRequest[] } {
  const asked: UpstreamRequest[] = [];
  const upstream: Upstream = (request) => answers[asked.push(request) - 1]!();
  return { upstream, asked };
}

const busy = () => ({ status: 503, headers: { "x-try": "1" }, body: "busy" });
const ok = () => ({ headers: { "x-try": "2" }, body: "ok" });

describe("filter.request()", () => {
  test("asks the upstream once more, and gives the last answer alone", async () => {
    const filter = await asking({ "retry-on": "5xx" });
    const { upstream, asked } = inTurn(busy, ok);
    const response = await filter.request({ path: "/a", body: ["one", "two"], trailers: { "x-t": "1" } }, { upstream });
    expect(response).toHaveStatus(200);
    expect(response).toHaveBody("ok");
    expect(response.headers.getAll("x-try")).toEqual(["2"]);
    expect(response.attempts).toBe(2);
    expect(response.upstream).toBe(asked[1]);
    for (const request of asked) {
      expect(request).toMatchObject({ method: "POST", path: "/a" });
      expect(request.text()).toBe("onetwo");
      expect(request.trailers.get("x-t")).toBe("1");
      expect(request.headers.has("x-envoy-retry-on")).toBe(false);
    }
    // What is left of the time.
    const [first, second] = asked.map(({ headers }) => Number(headers.get("x-envoy-expected-rq-timeout-ms")));
    expect(first).toBe(15_000);
    expect(second).toBeGreaterThanOrEqual(15_000 - 25);
    expect(second).toBeLessThanOrEqual(15_000);
    const heard = response.trace.events.filter((event) => event.kind === "callback").map(({ name }) => name);
    expect(heard.filter((name) => name === "proxy_on_response_headers")).toHaveLength(1);
    expect(response.trace.toString()).toContain("the request is sent again: the upstream answered 503");
  });

  test("is tried once without being asked to", async () => {
    const response = await (await asking({})).request("/", inTurn(busy));
    expect(response).toHaveStatus(503);
    expect(response.attempts).toBe(1);
  });

  test.each([
    ["throws an UpstreamError", () => Promise.reject(new UpstreamError("connection termination"))],
    ["breaks off before it answers", () => ({ status: 503, body: later("busy") })],
  ])("an upstream that %s is asked again", async (_what, first) => {
    const { upstream, asked } = inTurn(first, async () => Promise.resolve(ok()));
    const response = await (await asking({ "retry-on": "5xx" })).request("/", { upstream });
    expect(response).toHaveBody("ok");
    expect(asked).toHaveLength(2);
  });

  test("says when all tries have failed", async () => {
    const fails = (): never => {
      throw new UpstreamError();
    };
    const filter = await asking({ "retry-on": "connect-failure", "max-retries": "2" });
    const response = await filter.request("/", inTurn(fails, fails, fails));
    expect(response.attempts).toBe(3);
    expect(response).toHaveBody(/retried and the latest reset reason: remote connection failure$/);
  });

  test("a mistake in the upstream of a later try is the test's", async () => {
    const filter = await asking({ "retry-on": "5xx" });
    const oh = (): never => {
      throw new Error("oh");
    };
    for (const mistake of [oh, () => Promise.resolve().then(oh)]) {
      await expect(filter.request("/", inTurn(busy, mistake))).rejects.toThrow("oh");
    }
  });

  test("an upstream that takes too long is asked again while it is at it", async () => {
    const filter = await asking({ "retry-on": "5xx", "upstream-rq-per-try-timeout-ms": "100" });
    const clock = filter.clock as VirtualClock;
    const slow = () => (clock.advance(1000), { status: 201 });
    const late = inTurn(slow, ok);
    expect(await filter.request("/", late)).toHaveStatus(200);
    expect(late.asked).toHaveLength(2);
    const never = inTurn(slow, slow);
    const response = await filter.request("/", never);
    expect(response).toHaveStatus(504);
    expect(response.details).toBe("upstream_per_try_timeout");
    expect(never.asked).toHaveLength(2);
  });

  test("goes on in the machine's time too", async () => {
    const filter = await asking({ "retry-on": "5xx" }, { clock: new SystemClock() });
    expect(await filter.request("/", inTurn(busy, ok))).toHaveBody("ok");
  });

  test("says when a request is sent again and again without an end", async () => {
    const filter = await asking({ "retry-on": "5xx", "max-retries": "3000", "upstream-rq-timeout-ms": "0" });
    await expect(filter.request("/", { upstream: busy })).rejects.toThrow(
      /^the request is still sent again after \d{4} tries and 300 s of virtual time: bound it with x-envoy-max-retries or a timeout/,
    );
  });

  test("waits no longer than the proxy does for an upstream that hangs", async () => {
    const clock = new SystemClock();
    const hedged = await asking({ "retry-on": "5xx", "upstream-rq-per-try-timeout-ms": "10" }, { clock });
    const superseded = await hedged.request(
      "/",
      inTurn(hangs, async () => Promise.resolve(ok())),
    );
    expect(superseded).toHaveBody("ok");
    expect(superseded.attempts).toBe(2);
    const tired = await hedged.request("/", inTurn(hangs, hangs));
    expect(tired.details).toBe("upstream_per_try_timeout");
    const hurried = await asking({ "upstream-rq-timeout-ms": "10" }, { clock });
    expect(await hurried.request("/", { upstream: hangs })).toHaveStatus(504);
    const body = (async function* () {
      yield "a";
      await hangs();
    })();
    expect((await hurried.request("/", { upstream: () => ({ body }) })).complete).toBe(false);
  });

  test("in virtual time it is whoever advances the clock that ends the wait", async () => {
    const filter = await asking({});
    const clock = filter.clock as VirtualClock;
    const pending = filter.request("/", { upstream: hangs });
    clock.advance(15_000);
    expect(await pending).toHaveStatus(504);
    const answered = await filter.request("/", { upstream: () => (clock.advance(15_000), hangs()) });
    expect(answered).toHaveStatus(504);
  });

  test("what an upstream says when nobody waits for it goes nowhere, and its mistake counts until the end", async () => {
    const filter = await asking({ "retry-on": "5xx", "upstream-rq-per-try-timeout-ms": "100" });
    const clock = filter.clock as VirtualClock;
    let mistake: (error: Error) => void;
    const late = () => new Promise<never>((_resolve, reject) => (mistake = reject));
    const failing = filter.request("/", inTurn(late, hangs));
    clock.advance(100 + 25);
    mistake!(new Error("oh"));
    await expect(failing).rejects.toThrow("oh");
    let answer: (response: UpstreamResponse) => void;
    const pending = filter.request(
      "/",
      inTurn(late, () => new Promise((resolve) => (answer = resolve))),
    );
    clock.advance(100 + 25);
    answer!(ok());
    expect(await pending).toHaveBody("ok");
    // The next try is under way before the function of the first has returned.
    const slow = (): Promise<never> => (clock.advance(100 + 25), hangs());
    const patient = async (): Promise<UpstreamResponse> => {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      return ok();
    };
    const before = clock.now();
    expect(await filter.request("/", inTurn(slow, patient))).toHaveBody("ok");
    expect(clock.now() - before).toBe(125_000_000n);
    mistake!(new Error("too late to matter"));
  });
});

const hangs = (): Promise<never> => new Promise(() => {});

async function* later(text: string): AsyncGenerator<string> {
  yield await Promise.resolve(text);
}

const get = { ":method": "GET", ":path": "/", ":authority": "h", ":scheme": "http" };
const post = { ...get, ":method": "POST" };
const plain = loadFilter(filterOf({ name: "" }).bytes, { limits: { bufferBytes: 10 } });
const flagsOf = ({ finished }: FilterStream): number => finished.logged.info.flags;

describe("filter.stream()", () => {
  test("gives the request again within 25 ms, then 50, at last 250", async () => {
    const filter = await plain;
    const clock = filter.clock as VirtualClock;
    const stream = filter.stream();
    const wishes = { "x-envoy-retry-on": "5xx", "x-envoy-max-retries": "30" };
    stream.requestHeaders({ ...get, ...wishes, "x-envoy-upstream-rq-timeout-ms": "0" }, { endStream: true });
    for (let tries = 1; tries <= 30; tries++) {
      expect(stream.attempts).toBe(tries);
      stream.responseHeaders({ ":status": "503" }, { endStream: true });
      clock.advance(Math.min(25 * 2 ** (tries - 1), 250) - 1);
      expect(stream.upstream.complete).toBe(true);
    }
    expect(stream.attempts).toBe(31);
    stream.responseHeaders({ ":status": "503" }, { endStream: true });
    expect(stream.response.headers.get(":status")).toBe("503");
    expect(flagsOf(stream)).toBe(0x8000);
  });

  test("lets what still comes of a try that is over go nowhere", async () => {
    const filter = await plain;
    const stream = filter.stream();
    stream.requestHeaders({ ...post, "x-envoy-retry-on": "5xx" });
    stream.requestBody("one");
    stream.responseHeaders({ ":status": "503" });
    stream.responseBody("busy", { endStream: true });
    expect(stream.trace.toString()).not.toContain("on_response");
    (filter.clock as VirtualClock).advance(25);
    expect([stream.attempts, stream.upstream.body.length, stream.upstream.complete]).toEqual([2, 3, false]);
    stream.requestBody("two", { endStream: true });
    expect(new TextDecoder().decode(stream.upstream.body)).toBe("onetwo");
    stream.responseHeaders({ ":status": "200" }, { endStream: true });
    expect(stream.ended).toBe(true);
  });

  test("tries no more once the upstream has said an interim word", async () => {
    const stream = (await plain).stream();
    stream.requestHeaders({ ...get, "x-envoy-retry-on": "5xx" }, { endStream: true });
    stream.responseHeaders({ ":status": "103" });
    stream.responseHeaders({ ":status": "503" }, { endStream: true });
    expect(stream.response.headers.get(":status")).toBe("503");
    expect(flagsOf(stream)).toBe(0);
  });

  test("answers 507 when more of the body comes between two tries than the buffer takes", async () => {
    const filter = await plain;
    const stream = filter.stream();
    stream.requestHeaders({ ...post, "x-envoy-retry-on": "5xx" });
    stream.requestBody("0123456789");
    stream.responseHeaders({ ":status": "503" }, { endStream: true });
    stream.requestBody("0");
    expect(stream.localReply).toMatchObject({ status: 507, details: "request_payload_exceeded_retry_buffer_limit" });
    (filter.clock as VirtualClock).advance(1000);
    expect(stream.attempts).toBe(1);
  });

  test.each<[string, (stream: FilterStream, clock: VirtualClock) => void]>([
    ["goes away", (stream) => stream.reset()],
    ["has waited long enough", (_stream, clock) => clock.advance(1)],
  ])("tries no more when the client %s", async (_what, end) => {
    const filter = await plain;
    const clock = filter.clock as VirtualClock;
    // So that some wait is longer than a millisecond.
    const streams = Array.from({ length: 3 }, () => {
      const stream = filter.stream();
      const wishes = { "x-envoy-retry-on": "5xx", "x-envoy-upstream-rq-timeout-ms": "1" };
      stream.requestHeaders({ ...get, ...wishes }, { endStream: true });
      stream.responseHeaders({ ":status": "503" }, { endStream: true });
      return stream;
    });
    for (const stream of streams) end(stream, clock);
    expect(streams.every(({ ended }) => ended)).toBe(true);
    clock.advance(1000);
    expect(streams.map(({ attempts }) => attempts)).toContain(1);
  });

  test("says in the trace why it does not try again", async () => {
    const filter = await plain;
    const refused = (wishes: Record<string, string>, body = ""): string => {
      const stream = filter.stream();
      stream.requestHeaders({ ...post, ...wishes });
      stream.requestBody(body, { endStream: true });
      stream.responseHeaders({ ":status": "503" }, { endStream: true });
      (filter.clock as VirtualClock).advance(25);
      if (!stream.ended) stream.responseHeaders({ ":status": "503" }, { endStream: true });
      const notes = stream.trace.events.flatMap((event) => (event.kind === "note" ? event.text : []));
      return notes.join("\n");
    };
    const again = "the request is sent again: the upstream answered 503\n";
    expect(refused({})).toBe("");
    expect(refused({ "x-envoy-retry-on": "5xx" })).toBe(`${again}not sent again: x-envoy-max-retries (1) is used up`);
    expect(refused({ "x-envoy-retry-on": "reset, refused-stream" })).toBe("");
    expect(refused({ "x-envoy-retry-on": "5xx" }, "01234567890")).toBe(
      "not sent again: its body has more than limits.bufferBytes (10)",
    );
    expect(refused({ "x-envoy-retry-on": "bogus,", "x-envoy-retry-grpc-on": "5xx" })).toBe(
      '"bogus" is no word of x-envoy-retry-on: it means nothing\n' +
        '"5xx" is no word of x-envoy-retry-grpc-on: it means nothing',
    );
  });

  test("tries three requests again at the same time, as a cluster of Envoy's does", async () => {
    const filter = await plain;
    const streams = Array.from({ length: 4 }, () => filter.stream());
    for (const stream of streams) {
      stream.requestHeaders({ ...get, "x-envoy-retry-on": "5xx" }, { endStream: true });
      stream.responseHeaders({ ":status": "503" }, { endStream: true });
    }
    expect(streams.map(({ ended }) => ended)).toEqual([false, false, false, true]);
    expect(flagsOf(streams[3]!)).toBe(0x80);
    expect(streams[3]!.trace.toString()).toContain("not sent again: 3 requests are on a later try already");
    (filter.clock as VirtualClock).advance(25);
    const [first, second, third] = streams.slice(0, 3) as [FilterStream, FilterStream, FilterStream];
    first.responseHeaders({ ":status": "200" }, { endStream: true });
    second.reset();
    third.responseHeaders({ ":status": "503" }, { endStream: true });
    // Each of the three has made room.
    const next = Array.from({ length: 3 }, () => filter.stream());
    for (const stream of next) {
      stream.requestHeaders({ ...get, "x-envoy-retry-on": "5xx" }, { endStream: true });
      stream.responseHeaders({ ":status": "503" }, { endStream: true });
      expect(stream.ended).toBe(false);
    }
    for (const stream of next) stream.reset();
  });
});
