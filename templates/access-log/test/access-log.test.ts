import { expect, test } from "vitest";
import { loadFilter, type VirtualClock } from "proxy-wasm";
import "proxy-wasm/vitest";
import filter from "../assembly/index.ts?filter";

test("logs a line for each exchange, with the time it took", async () => {
  const loaded = await loadFilter(filter);
  const upstream = () => {
    (loaded.clock as VirtualClock).advance(12);
    return { status: 404 };
  };
  const response = await loaded.request({ path: "/cart?id=1", method: "DELETE" }, { upstream });
  expect(response).toHaveLogged("info", "DELETE /cart?id=1 404 12 ms");
});

test("logs requests that get no answer", async () => {
  const stream = (await loadFilter(filter)).stream();
  stream.requestHeaders({ ":method": "GET", ":path": "/", ":authority": "shop.test" }, { endStream: true });
  stream.reset();
  expect(stream.logs.map(({ message }) => message)).toEqual(["GET / - 0 ms"]);
});
