import { expect, test } from "vitest";
import { loadFilter } from "proxy-wasm";
import "proxy-wasm/vitest";

test("answers by itself and never calls the upstream", async () => {
  const filter = await loadFilter("build/release.wasm");
  const response = await filter.request({ path: "/greet?who=me", authority: "shop.test" });
  expect(response).toHaveStatus(200);
  expect(response).toHaveHeader("x-service-name", "my-custom-service");
  expect(response).toHaveBody("Hello from Wasm!\n");
  expect(response).toHaveRepliedLocally(200);
  expect(response.upstream).toBeNull();
});

test("logs host and path", async () => {
  const filter = await loadFilter("build/release.wasm");
  const response = await filter.request({ path: "/greet?who=me", authority: "shop.test" });
  expect(response).toHaveLogged("info", "host: shop.test, path: /greet?who=me");
});
