import { expect, test } from "vitest";
import { loadFilter } from "proxy-wasm";
import "proxy-wasm/vitest";
import filter from "../assembly/index.ts?filter";

const upstream = () => ({ status: 200, body: "Hello, world!" });

test("says that it is well", async () => {
  const response = await (await loadFilter(filter)).request("/healthz?verbose", { upstream });
  expect(response).toHaveRepliedLocally(200);
  expect(response).toHaveHeader("content-type", "application/json");
  expect(response).toHaveBody('{"status":"ok"}\n');
});

test.each(["/internal", "/internal/metrics", "/internal?a=b"])("keeps %s to itself", async (path) => {
  const response = await (await loadFilter(filter)).request(path, { upstream });
  expect(response).toHaveRepliedLocally(403);
  expect(response.upstream).toBeNull();
});

test.each(["/Internal", "/%69nternal", "/internal;a=b/metrics"])(
  "keeps %s to itself, which an upstream may take for the same",
  async (path) => {
    const response = await (await loadFilter(filter)).request(path, { upstream });
    expect(response).toHaveRepliedLocally(403);
  },
);

test.each([
  "//internal",
  "/./internal/x",
  "/public/../internal",
  "/public/%2e%2E/internal",
  "/public/..;/internal",
  "/public/..",
  "/public%2Finternal",
  "/public%5c..%5cinternal",
  "/public\\internal",
  "/%2569nternal",
  "/internal%00",
  "/%",
  "/%+9",
])("refuses %s, which upstreams may read in different ways", async (path) => {
  const response = await (await loadFilter(filter)).request(path, { upstream });
  expect(response).toHaveRepliedLocally(400);
  expect(response.upstream).toBeNull();
});

test.each(["/", "/internals", "/healthz/x", "/a%20b/%C3%A4/", "/a;b=c", "/.well-known/x", "/a..b/...", "/?//internal"])(
  "lets %s pass",
  async (path) => {
    const response = await (await loadFilter(filter)).request(path, { upstream });
    expect(response).toHaveBody("Hello, world!");
  },
);
