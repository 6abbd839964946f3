// The filter of grpc.test.ts in a real Envoy, calling a real server.

import { dirname } from "node:path";
import { createServer, type Server } from "node:http";
import type { ServerStreamResponseOptions } from "node:http2";
import type { AddressInfo } from "node:net";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { compileFilter } from "./support/compile.ts";
import { callingConfig } from "./support/envoy-config.ts";
import { explainMissingEnvoy, findEnvoy, freePort, type RunningEnvoy, startEnvoy } from "./support/envoy.ts";
import { type GrpcServer, type ServerCall, startGrpcServer } from "./support/grpc-server.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

/** What the server does with a call when it comes, by method. */
const opening: Record<string, (call: ServerCall) => void> = {
  Talk: (call) => {
    call.head({ "x-from": "server" });
    call.send("first");
  },
  Reset: (call) => call.stream.close(8),
  NotGrpc: (call) => call.stream.respond({ ":status": 404 }, { endStream: true }),
  TrailersOnly: (call) =>
    call.stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-status": "5", "grpc-message": "not there" },
      // Node takes sendDate too, which its types do not have.
      { endStream: true, sendDate: false } as ServerStreamResponseOptions,
    ),
};

/** What it does with a message. */
const answering: Record<string, (call: ServerCall, message: string) => void> = {
  Greet: (call, message) => {
    call.send(`hello ${message}`);
    call.end(0);
  },
  Denied: (call) => call.end(7, "no%20way"),
  Strange: (call) => call.end(99, "x"),
  NoMessage: (call) => call.end(0),
  Talk: (call, message) => {
    if (message === "you said first") call.send("last");
    if (message === "bye") call.end(0, undefined, { "x-trailer": "t" });
  },
  Cancel: (call) => call.send("cancel me"),
  Close: (call) => {
    call.send("close me");
    call.stream.on("end", () => {
      call.send("after");
      call.end(3, "three");
    });
  },
};

describe.skipIf(!envoy)("in a real Envoy", () => {
  let upstream: Server;
  let server: GrpcServer;
  let running: RunningEnvoy;
  let url: string;

  beforeAll(async () => {
    upstream = createServer((_request, response) => response.end("ok"));
    await new Promise<void>((done) => upstream.listen(0, "127.0.0.1", done));
    server = await startGrpcServer({
      opened: (call) => opening[methodOf(call)]?.(call),
      message: (call, message) => answering[methodOf(call)]?.(call, message),
    });
    const { file } = await compileFilter("grpc");
    const listener = await freePort();
    url = `http://127.0.0.1:${listener}`;
    const config = callingConfig({
      port: listener,
      module: file,
      configuration: "configure",
      clusters: {
        upstream: { port: (upstream.address() as AddressInfo).port },
        greeter: { port: server.port, http2: true },
        // A name that Envoy takes for a protobuf message.
        users: { port: server.port, http2: true },
        dead: { port: undefined, http2: true },
        refusing: { port: await freePort(), http2: true },
      },
    });
    running = await startEnvoy(envoy!, config, dirname(file));
  }, 60_000);

  afterAll(async () => {
    await running?.stop();
    server.close();
    upstream.closeAllConnections();
    upstream.close();
  });

  /** What the filter logs during a request that makes it do this; and the status. */
  async function said(command: string): Promise<string[]> {
    const before = running.log().length;
    const { status } = await fetch(`${url}/p`, { headers: { "x-do": command } });
    // What comes behind everything that this request has logged.
    const mark = `mark ${before}`;
    await fetch(`${url}/p`, { headers: { "x-do": mark } });
    await running.logged(mark);
    const lines = [
      ...running
        .log()
        .slice(before)
        .matchAll(/wasm log filter: (.*)/g),
    ].map((match) => match[1]!);
    return [String(status), ...lines.slice(0, lines.indexOf(mark))];
  }

  test("a root context calls while it is configured", () => running.logged("configure ok 10 hello root"));

  test("a call holds the request until it is answered", async () => {
    expect(await said("call greeter Greet")).toEqual(["200", "call 0", "ok 8 hello me"]);
    const { rawHeaders, messages } = server.calls.at(-1)!;
    expect(messages).toEqual(["me"]);
    expect(rawHeaders.join(" ")).toBe(
      ":method POST :path /acme.Greeter/Greet :authority greeter :scheme http te trailers grpc-timeout 300m " +
        "content-type application/grpc x-token secret x-token again x-envoy-internal true " +
        "x-envoy-expected-rq-timeout-ms 300",
    );
    expect(await said("response")).toEqual(["200", "call 0", "ok 8 hello me"]);
    expect(await said("handler")).toEqual(["200", "named ok 6 hello "]);
  });

  test("a call goes to a cluster whose name Envoy would take for a message", async () => {
    expect(await said("call users Greet")).toEqual(["200", "call 0", "ok 8 hello me"]);
  });

  test.each([
    ["Denied", "status 7 no%20way{via_upstream}"],
    ["Strange", "status -1 x{via_upstream}"],
    ["NoMessage", "status 13 "],
    ["NotGrpc", "status 12 via_upstream"],
    ["TrailersOnly", "status 5 not there{via_upstream}"],
    ["Slow", "status 14 upstream request timeout{response_timeout}"],
    [
      "Reset",
      "status 14 upstream connect error or disconnect/reset before headers. reset reason: remote reset" +
        "{upstream_reset_before_response_started{remote_reset}}",
    ],
  ])("a call that ends otherwise says how: %s", async (method, expected) => {
    expect(await said(`call greeter ${method}`)).toEqual(["200", "call 0", expected]);
  });

  test("calls and streams are refused by a cluster without a host, or that is not there", async () => {
    expect(await said("call dead Greet")).toEqual(["503", "call 10"]);
    expect(await said("stream dead Greet")).toEqual(["503", "stream 10 send 2"]);
    expect((await said("call nowhere Greet")).slice(-1)).toEqual(["call 4"]);
    expect((await said("stream nowhere Greet")).slice(-1)).toEqual(["stream 4 send 2"]);
    expect((await said("call refusing Greet")).at(-1)).toMatch(/^status 14 .*remote connection failure/);
  });

  test("a stream talks both ways", async () => {
    expect(await said("stream greeter Talk")).toEqual([
      "200",
      "stream 0 send 0",
      "initial 4 server /p",
      "message first",
      "message last",
      "trailing 2 t",
      "closed 0 via_upstream",
    ]);
    expect(server.calls.at(-1)!.messages).toEqual(["hello", "you said first", "bye"]);
  });

  test("a stream can be closed and cancelled, and may fail", async () => {
    expect(await said("stream greeter Close")).toEqual([
      "200",
      "stream 0 send 0",
      "initial 3 nobody /p",
      "message close me",
      "close 0 2",
      "message after",
      "trailing 2 none",
      "closed 3 three{via_upstream}",
    ]);
    expect((await said("stream greeter Cancel")).slice(-3)).toEqual([
      "message cancel me",
      "cancel 0 1",
      "closed true send 2",
    ]);
    expect((await said("stream greeter TrailersOnly")).slice(2)).toEqual([
      "initial 0 nobody /p",
      "trailing 4 none",
      "closed 5 not there{via_upstream}",
    ]);
    expect((await said("stream greeter NotGrpc")).slice(2)).toEqual([
      "initial 0 nobody /p",
      "trailing 0 none",
      "closed 12 via_upstream",
    ]);
    expect((await said("stream greeter Reset")).at(-1)).toMatch(/^closed 14 .*{remote_reset}}$/);
  });

  test("calls and streams go with their context", async () => {
    const before = server.calls.length;
    expect((await said("forget"))[0]).toBe("200");
    const closed = (): boolean =>
      server.calls.length === before + 2 && server.calls.slice(before).every((call) => call.stream.closed);
    await expect.poll(closed).toBe(true);
    expect(running.log()).not.toMatch(/\[critical\]/);
  });
});

function methodOf({ path }: ServerCall): string {
  return path.split("/")[2] ?? "";
}
