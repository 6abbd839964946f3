// METADATA frames of HTTP/2, made by hand, through a filter in a real Envoy (1.40 did what stands here), and the same on
// our host.

import type { AddressInfo, Server } from "node:net";
import { dirname } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type Filter, loadFilter, VirtualClock } from "../src/index.ts";
import { type Compiled, compileFilter } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy, freePort, type RunningEnvoy, startEnvoy } from "./support/envoy.ts";
import {
  cluster,
  httpListener,
  leadingTo,
  pluginConfig,
  pluginLogs,
  type,
  wasmFilter,
} from "./support/envoy-config.ts";
import { ends, type Frame, frameTypes, http2Exchange, http2Server } from "./support/http2-frames.ts";

/** Two frames that a peer sends; the second has a name twice, which counts once. */
const frames = [
  [["a", "1"]],
  [
    ["a", "1"],
    ["b", "2"],
    ["a", "3"],
  ],
] as const;

/** What the filter logs on each path; the request has the body "abc" and "de", with the frames in between. */
const expected = {
  "/plain": [
    "request headers open",
    "request body 3",
    "request metadata 1",
    "request metadata 2",
    "request body 2 end",
    "response headers 200",
    "response metadata 1",
    "response metadata 2",
    "log",
  ],
  // What holds everything hears of it later, and before the body.
  "/hold": [
    "request headers open",
    "request metadata 1",
    "request metadata 2",
    "request body 5 end",
    "response headers 200",
    "response metadata 1",
    "response metadata 2",
    "log",
  ],
  // A held body does not hold it.
  "/hold-body": [
    "request headers open",
    "request body 3",
    "request metadata 1",
    "request metadata 2",
    "request body 2 end",
    "response headers 200",
    "response metadata 1",
    "response metadata 2",
    "log",
  ],
  "/reply": ["request headers open", "request body 3", "request metadata 1", "response headers 403", "log"],
  "/trap": ["request headers open", "request body 3", "request metadata 1"],
};

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("metadata");
});

describe("on our host", () => {
  test.each(Object.entries(expected))("%s", async (path, logs) => {
    const clock = new VirtualClock();
    const filter: Filter = await loadFilter(compiled.bytes, { clock });
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "POST", ":path": path, ":scheme": "http", ":authority": "h" });
    stream.requestBody("abc");
    for (const frame of frames) stream.requestMetadata(frame);
    stream.requestBody("de", { endStream: true });
    clock.advance(1000);
    if (!stream.ended) {
      expect(stream.upstream.metadata.map((headers) => headers.size)).toEqual([1, 2]);
      stream.responseHeaders({ ":status": "200" });
      for (const frame of frames) stream.responseMetadata(frame);
      stream.responseBody("ok", { endStream: true });
      expect(stream.response.metadata.map((headers) => headers.get("a"))).toEqual(["1", "1"]);
    }
    expect(stream.response.headers.get(":status")).toBe(path === "/reply" ? "403" : path === "/trap" ? "503" : "200");
    const said = stream.logs.map(({ message }) => message);
    expect(said).toEqual(logs);
    expect(stream.paused).toBeNull();
  });
});

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

describe.skipIf(!envoy)("in a real Envoy", () => {
  let running: RunningEnvoy | undefined;
  let upstream: Server | undefined;
  let port = 0;
  const received: Frame[] = [];

  beforeAll(async () => {
    upstream = await http2Server((frame, peer) => {
      received.push(frame);
      if (!frame.stream || !ends(frame)) return;
      peer.headers(frame.stream, [[":status", "200"]], false);
      for (const entries of frames) peer.metadata(frame.stream, entries);
      peer.data(frame.stream, "ok", true);
    });
    port = await freePort();
    const config = envoyConfig(port, (upstream.address() as AddressInfo).port, compiled.file);
    running = await startEnvoy(envoy!, config, dirname(compiled.file));
  });

  afterAll(async () => {
    await running?.stop();
    upstream?.close();
  });

  test.each(Object.entries(expected))("%s", { timeout: 20_000 }, async (path, logs) => {
    received.length = 0;
    const before = pluginLogs(running!.log(), "metadata").length;
    const response = await http2Exchange(port, (peer) => {
      peer.headers(
        1,
        [
          [":method", "POST"],
          [":path", path],
          [":scheme", "http"],
          [":authority", "h"],
        ],
        false,
      );
      peer.data(1, "abc", false);
      for (const frame of frames) peer.metadata(1, frame);
      peer.data(1, "de", true);
    });
    const said = (): string[] => pluginLogs(running!.log(), "metadata").slice(before);
    await expect.poll(said).toEqual(logs);
    // The frames go on in both directions.
    const passed = path === "/reply" || path === "/trap" ? 0 : 2;
    for (const side of [response, received]) {
      expect(side.filter((frame) => frame.type === frameTypes.metadata)).toHaveLength(passed);
    }
  });
});

function envoyConfig(port: number, upstream: number, file: string): string {
  const allowing = { allow_metadata: true };
  const wasm = wasmFilter(pluginConfig("metadata", "", file));
  const listener = httpListener("main", port, [wasm], [leadingTo("upstream")], {
    codec_type: "HTTP2",
    http2_protocol_options: allowing,
  });
  const options = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      ...type("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
      explicit_http_config: { http2_protocol_options: allowing },
    },
  };
  const clusters = [cluster("upstream", upstream, { typed_extension_protocol_options: options })];
  return JSON.stringify({ static_resources: { listeners: [listener], clusters } });
}
