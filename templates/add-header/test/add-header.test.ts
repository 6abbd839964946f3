import { expect, test } from "vitest";
import { loadFilter } from "proxy-wasm";
import "proxy-wasm/vitest";
import filter from "../assembly/index.ts?filter";

const upstream = () => ({ status: 200, body: "Hello, world!" });

test("adds the service's name to the response", async () => {
  const response = await (await loadFilter(filter)).request("/", { upstream });
  expect(response).toHaveStatus(200);
  expect(response).toHaveHeader("x-service-name", "my-service");
  expect(response).toHaveBody("Hello, world!");
});

test("takes the name from the configuration", async () => {
  const response = await (await loadFilter(filter, { config: "checkout" })).request("/", { upstream });
  expect(response).toHaveHeader("x-service-name", "checkout");
});
