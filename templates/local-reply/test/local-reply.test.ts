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

test.each(["/", "/internals", "/healthz/x"])("lets %s pass", async (path) => {
  const response = await (await loadFilter(filter)).request(path, { upstream });
  expect(response).toHaveBody("Hello, world!");
});
