// `serve` under load and under faults: it answers or closes, and lives on. Everything on loopback, and bounded.

import { readFileSync } from "node:fs";
import { Agent, createServer, get } from "node:http";
import { type AddressInfo, connect, createServer as createSocketServer, type Server, type Socket } from "node:net";

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import { frameTypes, http2Faults, http2Server } from "../support/http2-frames.ts";
import { type RunningCommand, startCommand } from "../support/running-command.ts";

let faulty: Server;
let healthy: ReturnType<typeof createServer>;
/** What the faulty upstream does with a request. */
let behave: (socket: Socket, head: string) => void = (socket) => socket.destroy();
const open = new Set<Socket>();
let serving: RunningCommand;
let port: number;

beforeAll(async () => {
  healthy = createServer((_request, response) => response.end("well"));
  faulty = createSocketServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
    let head = "";
    socket.on("data", (chunk: Buffer) => {
      head += chunk.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      if (head.includes(" /well ")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell");
      else behave(socket, head);
      head = "";
    });
  });
  for (const server of [healthy, faulty]) await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterAll(() => {
  for (const socket of open) socket.destroy();
  faulty.close();
  healthy.closeAllConnections();
  healthy.close();
});

async function start(upstream: Server, scheme: "http" | "h2c" = "http"): Promise<void> {
  const { port: to } = upstream.address() as AddressInfo;
  const args = [
    "serve",
    "bench/build/add-header.wasm",
    "--no-watch",
    "--port",
    "0",
    "--upstream",
    `${scheme}://127.0.0.1:${to}`,
  ];
  serving = startCommand(args);
  port = Number((await serving.says(/curl -i http:\/\/localhost:(\d+)/))[1]);
}
beforeEach(() => start(faulty));
afterEach(() => serving.stop());

/** Whatever was done to it, it is there, answers, and ends in order. */
async function expectAlive(): Promise<void> {
  expect(await raw("GET /well HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).toMatch(
    /^HTTP\/1\.1 200 [\s\S]*well$/,
  );
  await expectEnd();
}

/** It runs on, and ends in order when it is to. */
async function expectEnd(): Promise<void> {
  expect(serving.child.exitCode).toBe(null);
  expect(await serving.stop()).toBe(0);
  expect(serving.stderr()).not.toMatch(/\n {4}at /);
}

/** Sends text by hand and gives what comes back until the connection closes. */
function raw(text: string, milliseconds = 10_000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text, "latin1"));
    let answer = "";
    socket.setTimeout(milliseconds, () => socket.destroy());
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("close", () => resolve(answer));
    socket.on("error", () => {});
  });
}

const request = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

const faults: [what: string, behaviour: (socket: Socket) => void, expected: RegExp][] = [
  ["closes without a word", (socket: Socket) => socket.destroy(), /^HTTP\/1\.1 503 /],
  ["resets", (socket: Socket) => socket.resetAndDestroy(), /^HTTP\/1\.1 503 /],
  ["answers what is no HTTP", (socket: Socket) => socket.end("SSH-2.0-OpenSSH\r\n\r\n"), /^HTTP\/1\.1 50[23] /],
  ["answers half a head", (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-le"), /^HTTP\/1\.1 50[23] /],
  [
    "answers half a body",
    (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
    /^HTTP\/1\.1 200 [\s\S]*half$/,
  ],
  [
    "answers wrong chunks",
    (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n"),
    /^HTTP\/1\.1 200 |^$/,
  ],
  [
    "answers a head without end",
    (socket: Socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      const more = (): void =>
        void (socket.writable && socket.write(`x-${"y".repeat(1000)}: 1\r\n`) && setImmediate(more));
      more();
    },
    /^HTTP\/1\.1 50[23] /,
  ],
  [
    "switches protocols that nobody asked for",
    (socket: Socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
    /^HTTP\/1\.1 50[23] /,
  ],
];

test.each(faults)("an upstream that %s", async (_what, behaviour, expected) => {
  behave = behaviour;
  expect(await raw(request)).toMatch(expected);
  await expectAlive();
});

test.each(faults)("an upstream that is to speak HTTP/2, and %s", async (_what, behaviour) => {
  behave = behaviour;
  await serving.stop();
  await start(faulty, "h2c");
  expect(await raw(request)).toMatch(/^HTTP\/1\.1 50[23] /);
  await expectEnd();
});

test.each(http2Faults)("an upstream that speaks HTTP/2, and %s", async (_what, answers, fault) => {
  const upstream = await http2Server(({ type, stream }, peer) => type === frameTypes.headers && fault(peer, stream));
  await serving.stop();
  await start(upstream, "h2c");
  expect(await raw(request)).toMatch(answers ? /^(HTTP\/1\.1 200 [^]*half\r\n)?$/ : /^HTTP\/1\.1 503 /);
  await expectEnd();
  upstream.close();
});

test.each([
  ["no HTTP", "hello\r\n\r\n", /^HTTP\/1\.1 400 |^$/],
  ["bytes", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", /^HTTP\/1\.1 400 |^$/],
  ["a header without a name", "GET /well HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", /^HTTP\/1\.1 400 /],
  [
    "two lengths",
    "POST /well HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    /^HTTP\/1\.1 400 /,
  ],
  [
    "a length and chunks",
    "POST /well HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    /^HTTP\/1\.1 400 /,
  ],
  [
    "a wrong chunk",
    "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    /^HTTP\/1\.1 (400|503) |^$/,
  ],
  ["a head that is too long", `GET /well HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ["half of HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", /^HTTP\/1\.1 (400|505) |^$/],
  ["HTTP/2 that goes wrong", `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"\xff".repeat(100)}`, /^[\x00-\xff]*$/],
])("a client that sends %s", async (_what, text, expected) => {
  behave = (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  expect(await raw(text, 3000)).toMatch(expected);
  await expectAlive();
});

test("clients that send a head byte by byte, or nothing, keep nobody waiting", async () => {
  const sockets = Array.from({ length: 200 }, () => connect(port, "127.0.0.1"));
  const text = "GET /slow HTTP/1.1\r\nHost: a\r\n";
  for (const [i, byte] of [...text].entries()) {
    for (const [j, socket] of sockets.entries()) if (j % 2) socket.write(byte);
    if (i % 10 === 0) expect(await raw("GET /well HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).toMatch(/200/);
  }
  for (const socket of sockets) socket.on("error", () => {}).destroy();
  await expectAlive();
});

test("10,000 open connections", async () => {
  await serving.stop();
  await start(healthy);
  const COUNT = 10_000;
  const sockets: Socket[] = [];
  let failed = 0;
  while (sockets.length < COUNT) {
    const batch = Array.from({ length: 250 }, () => connect(port, "127.0.0.1"));
    await Promise.all(
      batch.map(
        (socket) =>
          new Promise<void>((done) => {
            socket.once("connect", done);
            socket.on("error", () => {
              failed++;
              done();
            });
          }),
      ),
    );
    sockets.push(...batch);
  }
  // Half of them have asked once and are kept.
  const answered = sockets.map((socket, i) =>
    i % 2
      ? new Promise<boolean>((done) => {
          socket.once("data", (chunk) => done(chunk.toString().startsWith("HTTP/1.1 200")));
          socket.once("close", () => done(false));
          socket.write("GET /well HTTP/1.1\r\nHost: a\r\n\r\n");
        })
      : true,
  );
  const well = (await Promise.all(answered)).filter(Boolean).length;
  const memory = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${serving.child.pid}/status`, "utf8"))![1]) / 1024;
  console.log(`${COUNT} open connections: ${memory.toFixed(0)} MiB, ${failed} failed`);
  expect([failed, well]).toEqual([0, COUNT]);
  expect(memory).toBeLessThan(1024);
  for (const socket of sockets) socket.destroy();
  await expectAlive();
});

test("load: every request of 64 clients is answered, with flat memory", async () => {
  await serving.stop();
  await start(healthy);
  const memory = (): number =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${serving.child.pid}/status`, "utf8"))![1]) / 1024;
  let wrong = 0;
  const ask = async (times: number): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });
    const one = (): Promise<void> =>
      new Promise((done) => {
        get({ port, host: "127.0.0.1", path: "/load", agent }, (response) => {
          if (response.statusCode !== 200 || response.headers["x-service-name"] !== "my-custom-service") wrong++;
          response.resume().on("close", done);
        }).on("error", () => {
          wrong++;
          done();
        });
      });
    const client = async (): Promise<void> => {
      for (let i = 0; i < times; i++) await one();
    };
    await Promise.all(Array.from({ length: 64 }, client));
    agent.destroy();
  };
  await ask(50);
  const before = memory();
  await ask(200);
  console.log(`16,000 requests: ${before.toFixed(0)} MiB before, ${memory().toFixed(0)} MiB after`);
  expect(wrong).toBe(0);
  expect(memory() - before).toBeLessThan(100);
  await expectAlive();
});
