// HTTP/2 as a test and `serve` play it: what differs from HTTP/1.1 for a filter, and gRPC, which is the reason for it. That
// the host does what Envoy does is the business of test/conformance/groups/http2.ts.

import { connect } from "node:http2";
import type { AddressInfo } from "node:net";

import { afterEach, describe, expect, test } from "vitest";

import {
  type Filter,
  type FilterOptions,
  grpcMessages,
  grpcRequest,
  grpcResponse,
  GrpcStatus,
  loadFilter,
  StreamError,
  UpstreamError,
} from "../src/index.ts";
import { filterOf } from "./conformance/probe.ts";
import { list, property, reply, type Script } from "./conformance/scenario.ts";
import { ends, frameTypes, http2Exchange, type Http2Peer, http2Server } from "./support/http2-frames.ts";
import { closeAll, closeLater, start } from "./support/serve.ts";

afterEach(closeAll);

const bytesOf = (on: Script): Uint8Array => filterOf({ name: "", on }).bytes;
const load = (on: Script = {}, options: FilterOptions = {}): Promise<Filter> => loadFilter(bytesOf(on), options);
const lines = ({ logs }: { logs: readonly { message: string }[] }): string[] => logs.map(({ message }) => message);
const HTTP2 = { protocol: "HTTP/2" } as const;

describe("a request over HTTP/2", () => {
  test("has its pseudo headers first, and a body of one piece comes with its end", async () => {
    const filter = await load({ request_headers: [list(0), property("request", "protocol")] });
    const request = { ...HTTP2, path: "/a", headers: { "X-A": "1" }, body: "abc" };
    const response = await filter.request(request, { upstream: () => ({ body: "ok" }) });
    expect(lines(response)).toEqual(
      expect.arrayContaining([
        "request_headers(2,8,0)",
        expect.stringContaining("[:method=POST :scheme=http :authority=localhost :path=/a x-a=1 content-length=3 x-"),
        '  get_property 0 "HTTP/2"',
        "request_body(2,3,1)",
        "response_body(2,2,1)",
      ]),
    );
    expect(response.text()).toBe("ok");
  });

  test("over HTTP/1.1, which is the default, the end comes by itself", async () => {
    const filter = await load({ request_headers: [property("request", "protocol")] });
    const response = await filter.request({ body: "abc" }, { upstream: () => ({ body: "ok" }) });
    expect(lines(response)).toEqual(
      expect.arrayContaining(['  get_property 0 "HTTP/1.1"', "request_body(2,3,0)", "request_body(2,0,1)"]),
    );
  });

  test("says nowhere how a body is framed, and that there is none", async () => {
    const filter = await load();
    const post = { ...HTTP2, method: "POST" };
    for (const body of [undefined, ["a", "b"]]) {
      const response = await filter.request(
        { ...post, ...(body && { body }) },
        { upstream: () => ({ ...(body && { body }) }) },
      );
      for (const headers of [response.headers, response.upstream!.headers]) {
        expect(headers.get("content-length")).toBeNull();
        expect(headers.get("transfer-encoding")).toBeNull();
      }
    }
  });

  test("is answered early without a word about the connection", async () => {
    const filter = await load({ request_headers: [reply(403, "no"), 1] });
    const answer = (protocol: "HTTP/1.1" | "HTTP/2") => filter.request({ protocol, body: "abc" });
    expect((await answer("HTTP/1.1")).headers.get("connection")).toBe("close");
    expect((await answer("HTTP/2")).headers.get("connection")).toBeNull();
  });

  test("may go to an upstream of HTTP/1.1, whose framing the filter sees", async () => {
    const filter = await load({ response_headers: [list(2)] });
    const upstream = (): object => ({});
    const [same, other] = await Promise.all([
      filter.request(HTTP2, { upstream }),
      filter.request(HTTP2, { upstream, upstreamProtocol: "HTTP/1.1" }),
    ]);
    expect(lines(same).join()).not.toContain("content-length");
    expect(lines(other).join()).toContain("content-length=0");
    expect(other.headers.get("content-length")).toBe("0");
  });

  test.each([
    ["connection", { connection: "close" }, 'it has the header "connection": "close"'],
    ["te", { te: "gzip" }, 'it has the header "te": "gzip"'],
    ["a pseudo header twice", { ":path": "/b" }, 'it has the header ":path"'],
    ["too much", { "x-a": "v".repeat(61 * 1024) }, "its headers have more than 61440 bytes"],
  ])("that breaks the rules is reset, and the filter hears nothing of it: %s", async (_what, headers, why) => {
    const filter = await load({ context_create: [] });
    const asked = filter.request({ ...HTTP2, headers }, { upstream: () => ({}) });
    await expect(asked).rejects.toThrow(StreamError);
    await expect(asked).rejects.toThrow(why);
    await expect(asked).rejects.not.toThrow("proxy_on_log");
  });

  test("that is not as long as it says is reset, and logged", async () => {
    const filter = await load();
    const asked = filter.request({ ...HTTP2, headers: { "content-length": "5" }, body: "abc" });
    await expect(asked).rejects.toThrow("(http2.remote_reset): its body is not as long as its content-length says");
    await expect(asked).rejects.toThrow("proxy_on_log");
  });

  test("CONNECT has an authority alone", async () => {
    const filter = await load({ request_headers: [list(0)] });
    const response = await filter.request({ ...HTTP2, method: "CONNECT", authority: "a.test:80" });
    expect(response.status).toBe(404);
    expect(lines(response).join()).toContain("[:method=CONNECT :authority=a.test:80 :scheme=http ");
    const both = filter.request({ ...HTTP2, method: "CONNECT", authority: "a.test:80", path: "/a" });
    await expect(both).rejects.toThrow("CONNECT has an :authority, and neither :path nor :scheme");
  });

  test.each(["HTTP/1.1", "HTTP/2"] as const)("CONNECT is said in the same words over %s", async (protocol) => {
    const filter = await load({ request_headers: [list(0)] });
    for (const target of [{ authority: "a.test:80" }, { path: "a.test:80" }]) {
      const response = await filter.request({ protocol, method: "CONNECT", ...target });
      expect(response.details).toBe("route_not_found");
      const seen = lines(response).find((line) => line.includes("get_header_map_pairs"));
      expect(seen).toContain(":authority=a.test:80 ");
      expect(seen).not.toContain(":path");
    }
  });

  test("has a path, where HTTP/1.1 may have a whole URL", async () => {
    const filter = await load();
    const whole = { path: "https://a.test/b?c", authority: "other", scheme: "http" };
    const { upstream } = await filter.request(whole, { upstream: () => ({}) });
    expect(upstream).toMatchObject({ authority: "a.test", path: "/b?c" });
    expect(upstream?.headers.get(":scheme")).toBe("https");
    await expect(filter.request({ ...whole, ...HTTP2 })).rejects.toThrow("must begin with /");
  });

  test.each(["HTTP/1.1", "HTTP/2"] as const)("QUERY needs a content-type over %s", async (protocol) => {
    const filter = await load();
    const query = { protocol, method: "QUERY", body: "x" };
    expect(await filter.request(query)).toMatchObject({ status: 400, details: "query_missing_content_type" });
    const typed = { ...query, headers: { "content-type": "a/b" } };
    expect((await filter.request(typed, { upstream: () => ({}) })).status).toBe(200);
  });
});

test("a protocol that is none is a TypeError that says what there is", async () => {
  const filter = await load();
  const wrong = { protocol: "h2" } as unknown as typeof HTTP2;
  const { protocol } = wrong;
  const what = (option: string): TypeError =>
    new TypeError(`there is no ${option} "h2"; there are "HTTP/1.1" and "HTTP/2"`);
  await expect(filter.request(wrong)).rejects.toThrow(what("protocol"));
  await expect(filter.request("/", { upstreamProtocol: protocol })).rejects.toThrow(what("upstreamProtocol"));
  expect(() => filter.stream(wrong)).toThrow(what("protocol"));
  expect(() => filter.stream({ upstreamProtocol: protocol })).toThrow(what("upstreamProtocol"));
});

describe("an upstream of HTTP/2", () => {
  test("that answers more or less than it says fails", async () => {
    const filter = await load();
    const answer = (length: string): Promise<{ complete: boolean; details: string }> =>
      filter.request(HTTP2, { upstream: () => ({ headers: { "content-length": length }, body: "abc" }) });
    for (const length of ["2", "5"]) {
      const { complete, details } = await answer(length);
      expect({ complete, details }).toEqual({
        complete: false,
        details: "upstream_reset_after_response_started{protocol_error}",
      });
    }
    expect(await answer("3")).toMatchObject({ complete: true, details: "via_upstream" });
  });

  test("that means the connection with a header fails", async () => {
    const filter = await load();
    const response = await filter.request(HTTP2, { upstream: () => ({ headers: { connection: "close" } }) });
    expect(response).toMatchObject({ status: 502, details: "upstream_reset_before_response_started{protocol_error}" });
  });

  test("that refuses the stream, and one whose headers are too much", async () => {
    const filter = await load({}, { limits: { http2ResponseHeaderBytes: 100 } });
    const refused = await filter.request(HTTP2, {
      upstream: () => {
        throw new UpstreamError("remote refused stream reset");
      },
    });
    expect(refused.status).toBe(503);
    expect(refused.text()).toContain("reset reason: remote refused stream reset");
    const large = await filter.request(HTTP2, { upstream: () => ({ headers: { "x-a": "v".repeat(100) } }) });
    expect(large).toMatchObject({ status: 503, details: "upstream_reset_before_response_started{remote_reset}" });
    const other = { upstream: () => ({ headers: { "x-a": "v".repeat(100) } }), upstreamProtocol: "HTTP/1.1" } as const;
    expect((await filter.request(HTTP2, other)).status).toBe(200);
  });
});

describe("a stream over HTTP/2", () => {
  const head = { ":method": "GET", ":path": "/", ":authority": "a", ":scheme": "http" };
  const log = [property("response", "code_details"), property("response", "flags")];

  test.each(["HTTP/1.1", "HTTP/2"] as const)("takes the head of a request as it is, over %s too", async (protocol) => {
    const filter = await load({ request_headers: [list(0)] });
    const stream = filter.stream({ protocol });
    stream.requestHeaders({ ...head, connection: "close", te: "gzip", "content-length": "x" }, { endStream: true });
    expect(stream.localReply).toBeNull();
    expect(lines(stream).join()).toContain(
      "[:method=GET :path=/ :authority=a :scheme=http connection=close te=gzip content-length=x ]",
    );
  });

  test.each([
    ["resets", HTTP2, {}, "http2.remote_reset", "\\00\\00\\00\\10\\00\\00\\00\\00"],
    [
      "ends its connection",
      HTTP2,
      { connection: true },
      "downstream_remote_disconnect",
      "\\00@\\00\\00\\00\\00\\00\\00",
    ],
    ["speaks HTTP/1.1", {}, {}, "downstream_remote_disconnect", "\\00@\\00\\00\\00\\00\\00\\00"],
  ])("ends when the client %s", async (_what, options, how, details, flags) => {
    const filter = await load({ log });
    const stream = filter.stream(options);
    stream.requestHeaders(head);
    stream.reset(how);
    expect(lines(stream).slice(-4)).toEqual([
      `  get_property 0 "${details}"`,
      `  get_property 0 "${flags}"`,
      "done(2)",
      "delete(2)",
    ]);
  });
});

describe("gRPC", () => {
  const echo = {
    upstream: ({ body }: { body: Uint8Array }) => grpcResponse(grpcMessages(body), { trailers: { "x-t": "1" } }),
  };

  test("messages go out and come back in frames, with a status in trailers", async () => {
    const filter = await load({ request_headers: [list(0)] });
    const call = grpcRequest("/acme.Limits/Check", ["one", new Uint8Array([2])], { headers: { "x-md": "v" } });
    const response = await filter.request(call, echo);
    const said = lines(response).find((line) => line.includes("get_header_map_pairs"));
    expect(said).toContain(":path=/acme.Limits/Check content-type=application/grpc te=trailers x-md=v x-");
    expect(said).not.toContain("content-length");
    expect(response.headers.get("content-length")).toBeNull();
    expect(response.trailers.get("x-t")).toBe("1");
    expect(response.grpc).toEqual({
      status: GrpcStatus.Ok,
      message: "",
      messages: [new TextEncoder().encode("one"), new Uint8Array([2])],
    });
  });

  test("a service that fails answers with its head alone", async () => {
    const filter = await load();
    const failing = () => grpcResponse([], { status: GrpcStatus.PermissionDenied, statusMessage: "100% nö" });
    const response = await filter.request(grpcRequest("/a.B/C", "x"), { upstream: failing });
    expect(lines(response)).toContain("response_headers(2,5,1)");
    expect(response.grpc).toEqual({ status: GrpcStatus.PermissionDenied, message: "100% nö", messages: [] });
  });

  test("a content-type of one's own takes the place of the usual one", async () => {
    const filter = await load({ request_headers: [list(0)] });
    const headers = { "Content-Type": "application/grpc+proto", te: "trailers" };
    const upstream = () => grpcResponse("x", { metadata: { "content-type": "application/grpc+json" } });
    const response = await filter.request(grpcRequest("/a.B/C", "x", { headers }), { upstream });
    expect(response.upstream?.headers.getAll("content-type")).toEqual(["application/grpc+proto"]);
    expect(response.upstream?.headers.getAll("te")).toEqual(["trailers"]);
    expect(response.headers.getAll("content-type")).toEqual(["application/grpc+json"]);
  });

  test.each(["HTTP/1.1", "HTTP/2"] as const)("a filter's reply becomes a status, over %s too", async (protocol) => {
    const filter = await load({ request_headers: [reply(403, "not you"), 1] });
    const response = await filter.request(grpcRequest("/a.B/C", "x", { protocol }), echo);
    expect(response.status).toBe(200);
    expect(response.body).toHaveLength(0);
    expect(response.grpc).toEqual({ status: GrpcStatus.PermissionDenied, message: "not you", messages: [] });
  });

  test("what is no gRPC has no outcome, and one without a status is unknown", async () => {
    const filter = await load();
    expect((await filter.request("/", { upstream: () => ({ body: "x" }) })).grpc).toBeNull();
    const headers = { "content-type": "application/grpc" };
    const cut = await filter.request(HTTP2, {
      upstream: () => ({ headers, body: new Uint8Array([0, 0, 0, 0, 9, 1]) }),
    });
    expect(cut.grpc).toEqual({ status: GrpcStatus.Unknown, message: "", messages: [] });
    for (const [value, status] of [
      ["", GrpcStatus.Unknown],
      ["x", GrpcStatus.Unknown],
      ["-1", GrpcStatus.Unknown],
      ["7", GrpcStatus.PermissionDenied],
    ] as const) {
      const said = await filter.request(HTTP2, { upstream: () => ({ headers, trailers: { "grpc-status": value } }) });
      expect(said.grpc?.status).toBe(status);
    }
  });

  test("answers that are more than Envoy takes fail filters' own calls", async () => {
    const metadata = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-a${i}`, "v"]));
    const on: Script = {
      request_headers: [["grpc_call", "limits", "a.B", "C", "", "", 100, { shows: "word" }], 1],
      grpc_close: [
        ["set_effective_context", 2],
        ["continue_stream", 0],
      ],
    };
    const filter = await load(on, { grpc: { limits: () => ({ message: "x", metadata }) } });
    const { grpcCalls } = await filter.request("/", { upstream: () => ({}) });
    expect(grpcCalls[0]!.result).toMatchObject({ status: GrpcStatus.Unavailable });
  });
});

describe("serve", () => {
  const on: Script = {
    request_headers: [property("request", "protocol"), list(0)],
    log: [property("response", "code_details")],
  };

  /** Serves the script, and gives what the filter has logged. */
  async function serving(script: Script, upstream?: URL): Promise<{ port: number; url: string; said: string[] }> {
    const said: string[] = [];
    const { port, url } = await start(bytesOf(script), upstream, { onLog: ({ message }) => void said.push(message) });
    return { port, url, said };
  }

  function ask(
    url: string,
    headers: Record<string, string | string[]>,
    body?: string,
  ): Promise<Record<string, unknown>> {
    const client = connect(url);
    closeLater(() => client.destroy());
    return new Promise((resolve, reject) => {
      const stream = client.request(headers, { endStream: body === undefined });
      stream.on("response", resolve).on("error", reject).resume();
      if (body !== undefined) stream.end(body);
    });
  }

  test("reads what a client of HTTP/2 says by HTTP/2's rules, to a server of HTTP/2 as well", async () => {
    const upstream = await http2Server((frame, peer) => {
      if (!frame.stream || !ends(frame)) return;
      peer.headers(frame.stream, [[":status", "200"]], false);
      peer.data(frame.stream, "done", true);
    });
    closeLater(() => upstream.close());
    const to = new URL(`h2c://127.0.0.1:${(upstream.address() as AddressInfo).port}`);
    const { url, said } = await serving(on, to);
    await ask(url, { ":method": "POST", ":path": "/a", cookie: ["a=1", "b=2"], te: "trailers" }, "abc");
    await expect.poll(() => said).toContain("delete(2)");
    expect(said).toEqual(
      expect.arrayContaining([
        '  get_property 0 "HTTP/2"',
        expect.stringMatching(/\[:method=POST :path=\/a :authority=[^ ]+ :scheme=http te=trailers cookie=a=1; b=2 x-/),
        "request_body(2,3,1)",
        "response_body(2,4,1)",
      ]),
    );
  });

  test("tells a client that is answered early that nobody waits for the rest", async () => {
    const { port } = await serving({ request_headers: [reply(403, "no"), 1] });
    const frames = await http2Exchange(
      port,
      (peer) => {
        const head = { ":method": "POST", ":path": "/", ":scheme": "http", ":authority": "a" };
        peer.headers(1, Object.entries(head), false);
      },
      ({ type }) => type === frameTypes.reset,
    );
    expect(frames.map(({ type }) => type)).toEqual([frameTypes.headers, frameTypes.data, frameTypes.reset]);
    expect(frames.at(-1)!.payload.readUInt32BE(0)).toBe(0);
  });

  test("tells a stream that is reset from a connection that has gone", async () => {
    const { port, said } = await serving({ ...on, request_headers: [1] });
    const heads = (): string[] => said.filter((line) => line.startsWith("request_headers"));
    const head = Object.entries({ ":method": "GET", ":path": "/", ":scheme": "http", ":authority": "a" });
    const open = (last: (peer: Http2Peer) => void): Promise<unknown> =>
      http2Exchange(port, async (peer) => {
        const before = heads().length;
        peer.headers(1, head, true);
        await expect.poll(heads).toHaveLength(before + 1);
        last(peer);
        peer.close();
      });
    await open((peer) => peer.reset(1, 8));
    await expect.poll(() => said).toContain('  get_property 0 "http2.remote_reset"');
    await open(() => {});
    await expect.poll(() => said).toContain('  get_property 0 "downstream_remote_disconnect"');
  });
});
