// The inspector without its page: who may talk to it, what it shows, sends again, and writes.

import { mkdir, readdir, readFile, rm, symlink } from "node:fs/promises";
import { createServer, type IncomingMessage, request } from "node:http";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Callout } from "../src/callouts/callouts.ts";
import { Exchanges } from "../src/cli/inspector/exchanges.ts";
import { inspect } from "../src/cli/inspector/server.ts";
import { HeaderMap } from "../src/http/header-map.ts";
import { LogLevel } from "../src/index.ts";
import { ExchangeRecord } from "../src/serve/record.ts";
import { describeRequest } from "../src/callouts/upstream.ts";
import { closeAll, closeLater, listen } from "./support/serve.ts";
import { type Inspected, startInspected } from "./support/inspected.ts";

let inspected: Inspected;
beforeAll(async () => {
  inspected = await startInspected();
});
afterAll(closeAll);

interface View {
  id: number;
  status: number;
  request: {
    before: { headers: [string, string][]; text: string };
    headers: { kind: string; name: string; value: string }[];
  };
  response: { headers: { kind: string; name: string; value: string }[] };
  events: { kind: string; name?: string; message?: string; status?: string; result?: string }[];
  callouts: { cluster: string; headers: [string, string][]; status: number; responseBody: string }[];
  trap: string | null;
}

/** Asks the inspector with the token, as its page does. */
async function api<T = unknown>(path: string, body?: unknown): Promise<{ status: number; value: T }> {
  const options =
    body === undefined
      ? {}
      : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`${inspected.page}/api/${path}`, options);
  return { status: response.status, value: (await response.json()) as T };
}

/** Asks with headers that `fetch` does not let one choose. */
function ask(
  path: string,
  headers: Record<string, string>,
  method = "GET",
): Promise<{ status: number; headers: unknown; text: string }> {
  const { port } = new URL(inspected.page);
  return new Promise((resolve, reject) => {
    const asked = request({ port, path, method, headers, host: "127.0.0.1" }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** The first thing that the page hears: the list of exchanges. */
async function firstEvent(): Promise<string> {
  const response = await fetch(`${inspected.page}/api/events`);
  const reader = response.body!.getReader();
  let text = "";
  while (!text.includes("\n\n")) text += Buffer.from((await reader.read()).value!).toString();
  await reader.cancel();
  return text;
}

/** Sends a request by the served port, and gives what the inspector has of it. */
async function exchange(path: string, options: RequestInit = {}): Promise<View> {
  const count = inspected.server.exchanges.length;
  await (await fetch(`${inspected.server.url}${path}`, options)).arrayBuffer();
  await expect.poll(() => inspected.server.exchanges.length).toBe(count + 1);
  const { value } = await api<View>(`exchanges/${count + 1}`);
  return value;
}

describe("who may talk to it", () => {
  test("whoever has the token, by the names of this machine", async () => {
    const { pathname, port } = new URL(`${inspected.page}/`);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`]) {
      const answer = await ask(pathname, { host });
      expect(answer.status).toBe(200);
      expect(answer.text).toContain("proxy-wasm inspector");
      expect(answer.headers).toMatchObject({
        "content-security-policy": expect.stringMatching(/^default-src 'none'; script-src 'self'/),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
      });
    }
  });

  test.each([
    ["a name that another site made point here", { host: "evil.test" }],
    ["this machine's name with another port", { host: "127.0.0.1:1" }],
    ["a page of another origin", { origin: "http://evil.test" }],
    ["a page of the proxied origin", { origin: "http://localhost:8080" }],
    ["a page without an origin", { origin: "null" }],
    ["another site, by what the browser says", { "sec-fetch-site": "cross-site" }],
    ["another port, by what the browser says", { "sec-fetch-site": "same-site" }],
  ])("not %s", async (_who, headers) => {
    const { pathname, host } = new URL(`${inspected.page}/`);
    for (const path of [pathname, `${pathname}api/clear`, "/metrics"]) {
      const method = path.endsWith("clear") ? "POST" : "GET";
      const answer = await ask(path, { host, "content-type": "application/json", ...headers }, method);
      expect(answer.status).toBe(403);
    }
  });

  test("nobody without the token", async () => {
    const { pathname, host } = new URL(inspected.page);
    const wrong = `${pathname.slice(0, -1)}${pathname.endsWith("A") ? "B" : "A"}`;
    for (const path of ["/", "/api/events", "/api/exchanges/1", `${wrong}/`, `${wrong}/api/clear`, `${pathname}`]) {
      for (const method of ["GET", "POST"]) {
        const answer = await ask(path, { host, "content-type": "application/json" }, method);
        expect([path, answer.status]).toEqual([path, 403]);
      }
    }
  });

  test("forms do not, even with the token", async () => {
    const { pathname, host } = new URL(`${inspected.page}/`);
    const answer = await ask(`${pathname}api/clear`, { host, "content-type": "text/plain" }, "POST");
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining("application/json") });
  });

  test("nor is anything there but the page", async () => {
    const { pathname, host } = new URL(`${inspected.page}/`);
    for (const path of ["../server.ts", "..%2fserver.ts", "constructor", "server.ts", "api/exchanges/99999"]) {
      expect((await ask(pathname + path, { host })).status).toBeGreaterThanOrEqual(403);
    }
  });
});

describe("an exchange", () => {
  test("shows callbacks, host calls, logs, and headers before and after", async () => {
    const view = await exchange("/hello", { headers: { "x-drop": "me" } });
    expect(view.events.filter(({ kind }) => kind === "callback")).toMatchObject([
      { name: "proxy_on_context_create" },
      { name: "proxy_on_request_headers", result: "0 Continue" },
      { name: "proxy_on_response_headers", result: "0 Continue" },
      { name: "proxy_on_delete" },
    ]);
    expect(view.events).toContainEqual(expect.objectContaining({ kind: "log", level: "warn", message: "answering" }));
    expect(view.events).toContainEqual(
      expect.objectContaining({ kind: "call", status: "NotFound", reason: expect.any(String) }),
    );
    const changed = [...view.request.headers, ...view.response.headers].filter(({ kind }) => kind !== "same");
    expect(changed).toEqual([
      { kind: "removed", name: "x-drop", value: "me" },
      { kind: "added", name: "x-tag", value: "tagged" },
      { kind: "added", name: "x-service-name", value: "my-custom-service" },
    ]);
  });

  test("shows callouts and their answers", async () => {
    const view = await exchange("/auth");
    expect(view.callouts).toMatchObject([{ cluster: "auth", status: 200, responseBody: "yes" }]);
  });

  test("shows where in the source a filter stopped", async () => {
    const view = await exchange("/trap");
    expect(view.status).toBe(503);
    expect(view.trap).toMatch(/the path is a trap at .*index\.ts:\d+:\d+[\s\S]*assert\(!path/);
    // The filter is loaded again after a while.
    await expect.poll(async () => (await exchange("/again")).status).toBe(200);
  });

  test("hides credentials, wherever they appear", async () => {
    const headers = { authorization: "Bearer top-secret", cookie: "id=cookie-secret", "x-api-key": "key-secret" };
    const view = await exchange("/auth?page", { headers });
    const all = JSON.stringify(view);
    expect(all).not.toMatch(/top-secret|cookie-secret|key-secret|upstream-secret|callout-secret/);
    expect(view.request.before.headers).toContainEqual(["authorization", "Bearer [masked]"]);
    expect(view.events).toContainEqual(
      expect.objectContaining({ message: "asked for /auth?page with Bearer [masked]" }),
    );
  });
});

describe("credentials that come back in bodies and other headers", () => {
  const secrets = /top-secret|cookie-|key-secret|pass-secret|callout-secret|answer-secret/;
  const path = `/auth/echo?key=${encodeURIComponent("key-secret/1")}`;
  const headers = {
    authorization: "Bearer top-secret",
    "proxy-authorization": `Basic ${Buffer.from("ada:pass-secret").toString("base64")}`,
    cookie: 'id="cookie-\\"; theme=dark',
    "x-api-key": "key-secret/1",
  };
  const body = '{"password":"pass-secret","note":"Bearer top-secret"}';

  test("are nowhere on the page", async () => {
    const view = await exchange(path, { method: "POST", headers, body });
    expect(JSON.stringify(view)).not.toMatch(secrets);
    expect(view.request.before.text).toBe('{"password":"[masked]","note":"Bearer [masked]"}');
    expect(view.callouts[0]!.responseBody).toBe("yes, Bearer [masked]");
    expect(view.request.headers).toContainEqual({ kind: "added", name: "x-copied", value: "Bearer [masked]" });
    const list = await firstEvent();
    expect(list).toContain("/auth/echo?key=[masked]");
    expect(list).not.toMatch(secrets);
  });

  test("nor are those in bodies of bytes", async () => {
    const bytes = Buffer.concat([Buffer.of(255, 0), Buffer.from("top-secret"), Buffer.of(254)]);
    const view = await exchange("/bytes", { method: "PUT", headers, body: bytes });
    const { base64 } = view.request.before as unknown as { base64: string };
    expect(Buffer.from(base64, "base64").toString("latin1")).toBe("\xff\0[masked]\xfe");
  });

  test("are in no saved test", async () => {
    const { id } = await exchange(path, { method: "POST", headers, body });
    const { value } = await api<{ file: string }>(`exchanges/${id}/save`, { title: "echo of key-secret/1" });
    const source = await readFile(join(inspected.folder, value.file), "utf8");
    expect(source).not.toMatch(secrets);
    expect(source).toContain('headers.get("x-copied")).not.toBeNull()');
    expect(source).toContain("// Credentials are masked");
  });

  test("are sent once more as they were, and with what was edited beside them", async () => {
    const view = await exchange(path, { method: "POST", headers, body });
    const { before } = view.request;
    const edited = before.text.replace("note", "edited");
    const own = before.headers.filter(([name]) => !name.startsWith(":"));
    const draft = {
      method: "POST",
      path: "/auth/echo?edited&key=[masked]",
      headers: [["host", "a"], ...own],
      body: edited,
    };
    expect(await api("send", { ...draft, from: view.id })).toEqual({ status: 200, value: {} });
    await expect.poll(() => inspected.received.at(-1)!.url).toContain("edited");
    const sent = inspected.received.at(-1)!;
    expect(sent.url).toBe("/auth/echo?edited&key=key-secret%2F1");
    expect(sent.headers).toMatchObject({ ...headers, "x-copied": "Bearer top-secret" });
    await expect.poll(() => inspected.server.exchanges.at(-1)!.path).toContain("edited");
    const { length } = JSON.stringify({ headers: sent.headers, url: sent.url, body: body.replace("note", "edited") });
    expect(inspected.server.exchanges.at(-1)!.bytes).toBe(length);
  });
});

describe("what is kept", () => {
  const listener = { changed: () => {}, ended: () => {} };

  test("of a long answer to a callout is its beginning, and no test is written of that", async () => {
    const view = await exchange("/auth/long");
    expect(view.callouts).toMatchObject([{ status: 200, whole: false, responseBody: "x".repeat(64 * 1024) }]);
    expect(await api(`exchanges/${view.id}/save`, { title: "long" })).toEqual({
      status: 400,
      value: { error: "the exchange or its callouts are too long: only their beginnings were kept" },
    });
  });

  test("of very many callouts, and of what is logged, is so much", () => {
    const record = new ExchangeRecord(1, listener);
    const request = { ...describeRequest(undefined, new Uint8Array(40_000), undefined), timeoutMs: 0 };
    const calls = Array.from({ length: 2000 }, () => {
      const over = new AbortController();
      const call = { cluster: "a", request: { ...request, signal: over.signal }, state: "pending", response: null };
      record.trace.addCallout(call as unknown as Callout);
      return { call, over };
    });
    for (const { call, over } of calls) {
      call.state = "reset";
      over.abort();
    }
    const kept = record.callouts.reduce((size, { request: one }) => size + (one?.kept ?? 0), 0);
    expect([record.callouts.length, record.droppedCalls, record.hasAllCallouts]).toEqual([1000, 1000, false]);
    expect(kept).toBeLessThanOrEqual(256 * 1024);
    expect(record.callouts[0]).toMatchObject({ state: "reset", whole: true });
    for (let i = 0; i < 10; i++) record.trace.push({ kind: "log", level: LogLevel.Info, message: "x".repeat(100_000) });
    record.trace.push({ kind: "callback", name: "proxy_on_log", args: [] });
    expect([record.events.length, record.dropped, record.trace.events.length]).toEqual([3, 8, 1]);
  });

  test("is told to a slow reader when it can read on", async () => {
    const exchanges = new Exchanges(() => []);
    const options = { port: 0, exchanges, target: "", folder: "", filters: async () => [], metrics: () => [] };
    const other = await inspect(options);
    closeLater(() => other.close());
    const events = await new Promise<IncomingMessage>((done) => request(`${other.url}api/events`, done).end());
    let text = "";
    events.on("data", (chunk: Buffer) => (text += chunk.toString()));
    await expect.poll(() => text).toContain("\n\n");
    events.pause();
    for (let i = 1; i <= 200; i++) {
      const record = new ExchangeRecord(1, listener);
      const head = new HeaderMap("request", [[":path", `/${i}${"x".repeat(100_000)}`]]);
      record.headers("request received", head);
      exchanges.ended(record);
      exchanges.clear();
      if (i === 200) exchanges.ended(record);
    }
    events.resume();
    await expect.poll(() => text).toContain("/200x");
    expect(text.length).toBeLessThan(1_000_000);
  });
});

describe("sending", () => {
  test("repeats an exchange, credentials and all", async () => {
    const body = { method: "POST", body: "again", headers: { authorization: "Bearer top-secret" } };
    const view = await exchange("/twice", body);
    const count = inspected.server.exchanges.length;
    expect((await api(`exchanges/${view.id}/replay`, {})).status).toBe(200);
    await expect.poll(() => inspected.server.exchanges.length).toBe(count + 1);
    const { value } = await api<View>(`exchanges/${count + 1}`);
    expect(value).toMatchObject({
      method: "POST",
      path: "/twice",
      status: 200,
      request: { before: { text: "again" } },
    });
    expect(value.request.before.headers).toContainEqual(["authorization", "Bearer [masked]"]);
  });

  test("sends what was edited; a value that is masked is the one that it was", async () => {
    const view = await exchange("/first", { headers: { authorization: "Bearer top-secret" } });
    const count = inspected.server.exchanges.length;
    const headers = [
      ["host", "edited.test"],
      ["authorization", "Bearer [masked]"],
      ["x-new", "ü"],
    ];
    await api("send", { method: "PUT", path: "/edited", headers, body: "grüße", from: view.id });
    await expect.poll(() => inspected.server.exchanges.length).toBe(count + 1);
    const { value } = await api<View>(`exchanges/${count + 1}`);
    expect(value).toMatchObject({ method: "PUT", path: "/edited", request: { before: { text: "grüße" } } });
    expect(value.request.before.headers).toEqual(
      expect.arrayContaining([
        [":authority", "edited.test"],
        ["authorization", "Bearer [masked]"],
        ["x-new", "ü"],
      ]),
    );
  });

  test("says so when what it sent goes on, such as a stream of events", async () => {
    const count = inspected.server.exchanges.length;
    const abort = new AbortController();
    await fetch(`${inspected.server.url}/stream`, { signal: abort.signal });
    abort.abort();
    await expect.poll(() => inspected.server.exchanges.length).toBe(count + 1);
    expect(await api(`exchanges/${count + 1}/replay`, {})).toEqual({ status: 200, value: {} });
    expect((await api<View>(`exchanges/${count + 2}`)).value).toMatchObject({ path: "/stream", status: null });
    inspected.received.at(-1)!.socket.destroy();
    await expect.poll(() => inspected.server.exchanges.length).toBe(count + 2);
  });

  test("writes a path as an address has it", async () => {
    await api("send", { method: "GET", path: "/ü?%C3%BC=é", headers: [["host", "a"]] });
    await expect.poll(() => inspected.server.exchanges.at(-1)!.path).toBe("/%C3%BC?%C3%BC=%C3%A9");
  });

  test("does not say that it sent what did not arrive", async () => {
    const nobody = createServer();
    const port = await listen(nobody);
    await new Promise((done) => nobody.close(done));
    const exchanges = new Exchanges(() => []);
    const target = `http://127.0.0.1:${port}`;
    const other = await inspect({
      port: 0,
      exchanges,
      target,
      folder: "",
      filters: async () => [],
      metrics: () => [],
    });
    closeLater(() => other.close());
    const response = await fetch(`${other.url}api/send`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ method: "GET", path: "/", headers: [["host", "a"]] }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: `the request did not come to the filters: connect ECONNREFUSED 127.0.0.1:${port}`,
    });
  });

  test.each([
    [{ method: "GET", path: "/", headers: [] }, "the request did not come to the filters: it was answered with 400"],
    [{ method: "GET", path: "/", headers: [["a", "\x1b"]] }, "the value of a is a text without control characters"],
    [{ method: "G T", path: "/", headers: [] }, '"G T" is no method'],
    [{ method: "GET", path: "no", headers: [] }, '"no" is no path'],
    [{ method: "GET", path: "/", headers: [["a b", "c"]] }, '"a b" is no name of a header'],
    [
      { method: "GET", path: "/", headers: [["a", "b\r\nc: d"]] },
      "the value of a is a text without control characters",
    ],
    [{ method: "GET", path: "/", headers: [], body: 1 }, "the body is a text"],
    [null, "undefined is no method"],
  ])("refuses %j", async (draft, message) => {
    const { status, value } = await api<{ error: string }>("send", draft);
    expect(status).toBe(400);
    expect(value.error).toContain(message);
  });
});

describe("saving a test", () => {
  test("writes what was sent and what came of it, as JSON", async () => {
    const path = '/auth?"); process.exit(1); ("${1}`';
    const view = await exchange(encodeURI(path), { headers: { authorization: "Bearer top-secret" } });
    const title = 'a"); throw new Error(`${1}`); ("/../../etc/passwd';
    const { value } = await api<{ file: string }>(`exchanges/${view.id}/save`, { title });
    expect(value.file).toBe(join("test", "a-throw-new-error-1-etc-passwd.test.ts"));
    const source = await readFile(join(inspected.folder, value.file), "utf8");
    expect(source).toContain(`test(${JSON.stringify(title)}, async () => {`);
    expect(source).toContain(`path: ${JSON.stringify(encodeURI(path))}`);
    expect(source).toContain("expect(response).toHaveStatus(200);");
    expect(source).toContain('expect(response).toHaveHeader("x-service-name", "my-custom-service");');
    expect(source).toContain('.headers.get("x-tag")).toBe("tagged");');
    expect(source).toContain('"auth": [{ status: 200,');
    expect(source).not.toMatch(/secret/);
  });

  test("repeats how the upstream failed", async () => {
    const view = await exchange("/reset");
    expect(view.status).toBe(503);
    const { value } = await api<{ file: string }>(`exchanges/${view.id}/save`, { title: "reset" });
    const source = await readFile(join(inspected.folder, value.file), "utf8");
    expect(source).toContain('throw new UpstreamError("connection termination");');
    expect(source).toContain("expect(response).toHaveStatus(503);");
  });

  test("writes none of an answer that was broken off", async () => {
    const count = inspected.server.exchanges.length;
    await expect(fetch(`${inspected.server.url}/cut`).then((response) => response.text())).rejects.toThrow();
    await expect.poll(() => inspected.server.exchanges.length).toBe(count + 1);
    expect(await api(`exchanges/${count + 1}/save`, { title: "cut" })).toEqual({
      status: 400,
      value: {
        error: "the upstream broke off its answer (connection termination), so there is no whole one to expect",
      },
    });
  });

  test("writes none of an answer that did not come in time", async () => {
    const view = await exchange("/slow");
    expect(view.status).toBe(504);
    expect(await api(`exchanges/${view.id}/save`, { title: "slow" })).toEqual({
      status: 400,
      value: { error: "the upstream did not answer in time, which a test has no time to wait for" },
    });
  });

  test("never writes over another one", async () => {
    const view = await exchange("/saved");
    const save = async () => (await api<{ file: string }>(`exchanges/${view.id}/save`, { title: "Saved" })).value.file;
    expect([await save(), await save()]).toEqual([join("test", "saved.test.ts"), join("test", "saved-2.test.ts")]);
  });

  test.each([
    ["outside of the project", "../proxy-wasm-elsewhere"],
    ["in it", "src"],
    ["that is not there", "nowhere"],
  ])("writes nothing through a link to a place %s", async (_where, place) => {
    const [tests, target] = [join(inspected.folder, "test"), join(inspected.folder, place)];
    const view = await exchange("/linked");
    await rm(tests, { recursive: true, force: true });
    if (place !== "nowhere") await mkdir(target);
    await symlink(target, tests);
    const { status, value } = await api<{ error: string }>(`exchanges/${view.id}/save`, { title: "x" });
    expect([status, value.error]).toEqual([
      400,
      "test/ is a link: tests are written into a folder of that name, and nowhere else",
    ]);
    if (place !== "nowhere") expect(await readdir(target)).toEqual([]);
    await rm(target, { recursive: true, force: true });
    await rm(tests);
  });

  test.each([{}, { title: "" }, { title: "x".repeat(201) }])("wants a title: %j", async (body) => {
    const view = await exchange("/titled");
    expect((await api(`exchanges/${view.id}/save`, body)).status).toBe(400);
  });
});

test("metrics are there in Prometheus' format", async () => {
  await exchange("/counted");
  const response = await fetch(inspected.inspector.metricsUrl);
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(await response.text()).toMatch(/^# TYPE requests_total counter\nrequests_total \d+$/m);
});
