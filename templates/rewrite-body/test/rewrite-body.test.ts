import { expect, test } from "vitest";
import { loadFilter } from "proxy-wasm";
import "proxy-wasm/vitest";
import filter from "../assembly/index.ts?filter";

const upstream = (type: string, body: string) => () => ({ status: 200, headers: { "content-type": type }, body });

test("replaces the word in text", async () => {
  const response = await (await loadFilter(filter)).request("/", { upstream: upstream("text/plain", "Hello, world!") });
  expect(response).toHaveStatus(200);
  expect(response).toHaveBody("Hello, filter!");
});

test("leaves what is no text alone", async () => {
  const response = await (await loadFilter(filter)).request("/", { upstream: upstream("image/png", "world") });
  expect(response).toHaveBody("world");
});

test("asks the upstream for bodies that can be read", async () => {
  const request = { path: "/", headers: { "accept-encoding": "gzip" } };
  const response = await (await loadFilter(filter)).request(request, { upstream: upstream("text/plain", "") });
  expect(response.upstream?.headers.get("accept-encoding")).toBeNull();
});

test("sends no body on that is larger than the limit", async () => {
  const large = "world ".repeat(200_000);
  const response = await (await loadFilter(filter)).request("/", { upstream: upstream("text/plain", large) });
  expect(response).toHaveRepliedLocally(500);
});
