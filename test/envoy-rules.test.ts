// Higress' rules in a real Envoy, which gives a filter the names of route and cluster with the request's headers.

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { compileFilter } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy, freePort, type RunningEnvoy, startEnvoy } from "./support/envoy.ts";
import { filterInEnvoy } from "./support/filter-in-envoy.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

describe.skipIf(!envoy)("in a real Envoy", () => {
  let running: RunningEnvoy;
  let url: string;

  const config = {
    name: "common",
    _rules_: [
      { _match_domain_: ["domain.test"], name: "domain" },
      { _match_service_: ["shop.prod.svc.cluster.local:8080"], name: "service" },
      { _match_route_prefix_: ["ans"], _match_consumer_: ["me"], name: "consumer" },
      { _match_route_: ["answer"], name: "route" },
    ],
  };

  beforeAll(async () => {
    const { file } = await compileFilter("rules");
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const cluster = "outbound|8080||shop.prod.svc.cluster.local";
    running = await startEnvoy(envoy!, filterInEnvoy(port, file, JSON.stringify(config), cluster), ".");
  });
  afterAll(() => running?.stop());

  const chosen = async (path: string, headers: Record<string, string> = {}): Promise<string> =>
    (await fetch(`${url}${path}`, { headers })).text();

  test("requests get the configuration of their rule", async () => {
    expect(await chosen("/")).toBe("route");
    expect(await chosen("/", { "x-mse-consumer": "me" })).toBe("consumer");
    expect(await chosen("/cluster")).toBe("service");
    expect(await chosen("/other")).toBe("common");
  });
});
