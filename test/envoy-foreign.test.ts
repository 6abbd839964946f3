// Foreign functions in a real Envoy: the same expectations as on the host.

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { compileFilter } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy, freePort, type RunningEnvoy, startEnvoy } from "./support/envoy.ts";
import { filterInEnvoy } from "./support/filter-in-envoy.ts";
import { testForeignFunctions } from "./support/foreign.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

describe.skipIf(!envoy)("in a real Envoy", () => {
  let running: RunningEnvoy;
  let url: string;

  beforeAll(async () => {
    const { file } = await compileFilter("foreign");
    const port = await freePort();
    url = `http://127.0.0.1:${port}/path`;
    running = await startEnvoy(envoy!, filterInEnvoy(port, file, "request.path.size()"), ".");
  });
  afterAll(() => running?.stop());

  const send = async (headers: Record<string, string>): Promise<string> =>
    (await (await fetch(url, { headers })).text()).replace(/\n$/, "");

  testForeignFunctions(send);

  test("an expression of the root context is evaluated for each stream", async () => {
    expect(await send({ "x-call": "evaluate", "x-typed": "1" })).toBe("0500000000000000");
  });
});
