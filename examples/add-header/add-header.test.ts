import { expect, test } from "vitest";
import { loadFilter } from "proxy-wasm";
import "proxy-wasm/vitest";

const upstream = () => ({ status: 200, body: "Hello, world!" });

test("adds the service name to the upstream's response", async () => {
  const filter = await loadFilter("build/release.wasm");
  const response = await filter.request("/hello", { upstream });
  expect(response).toHaveStatus(200);
  expect(response).toHaveHeader("x-service-name", "my-custom-service");
  expect(response).toHaveBody("Hello, world!");
});

test("takes the value from the configuration", async () => {
  const filter = await loadFilter("build/release.wasm", { config: "checkout" });
  expect(await filter.request("/", { upstream })).toHaveHeader("x-service-name", "checkout");
});

test("replaces what the upstream says", async () => {
  const filter = await loadFilter("build/release.wasm");
  const response = await filter.request("/", { upstream: () => ({ headers: { "x-service-name": ["a", "b"] } }) });
  expect(response.headers.getAll("x-service-name")).toEqual(["my-custom-service"]);
});
