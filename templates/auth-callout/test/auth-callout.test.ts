import { expect, test } from "vitest";
import { type CalloutUpstream, loadFilter, UpstreamError } from "proxy-wasm";
import "proxy-wasm/vitest";
import filter from "../assembly/index.ts?filter";

const upstream = () => ({ status: 200, body: "Hello, world!" });
const auth: CalloutUpstream = ({ headers }) => ({
  status: headers.get("authorization") === "Bearer secret" ? 200 : 401,
});

test("lets a request pass with the right token", async () => {
  const loaded = await loadFilter(filter, { upstreams: { auth } });
  const response = await loaded.request({ path: "/", headers: { authorization: "Bearer secret" } }, { upstream });
  expect(response).toHaveCalled("auth", { path: "/check", headers: { authorization: "Bearer secret" } });
  expect(response).toHaveStatus(200);
  expect(response).toHaveBody("Hello, world!");
});

test("answers 403 without one", async () => {
  const response = await (await loadFilter(filter, { upstreams: { auth } })).request("/", { upstream });
  expect(response).toHaveRepliedLocally(403);
  expect(response.upstream).toBeNull();
});

test("answers 503 when the server cannot be reached, or is not known at all", async () => {
  const broken = () => {
    throw new UpstreamError();
  };
  const refused = await loadFilter(filter, { upstreams: { auth: broken } });
  expect(await refused.request("/", { upstream })).toHaveRepliedLocally(503);
  expect(await (await loadFilter(filter)).request("/", { upstream })).toHaveRepliedLocally(503);
});

test("takes the cluster from the configuration", async () => {
  const loaded = await loadFilter(filter, { config: "sso", upstreams: { sso: () => ({ status: 200 }) } });
  expect(await loaded.request("/", { upstream })).toHaveStatus(200);
});
