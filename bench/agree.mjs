// Whether modules do the same: a request passes through each on this package's host, and what becomes of it is compared.

import { loadFilter } from "../dist/src/index.js";

/** Throws when a filter by one peer does something else than the same filter by the first one. */
export async function expectSame(filter, modules) {
  const [first, ...others] = await Promise.all(
    modules.map(async ({ peer, bytes }) => ({ peer, outcome: JSON.stringify(await outcomeOf(bytes)) })),
  );
  for (const { peer, outcome } of others) {
    if (outcome === first.outcome) continue;
    throw new Error(`${filter} by ${peer} does ${outcome}, by ${first.peer} ${first.outcome}`);
  }
}

async function outcomeOf(bytes) {
  const filter = await loadFilter(bytes);
  let seen = null;
  const upstream = (request) => {
    seen = request.headers.get("x-seen");
    return { body: "Hello, world!" };
  };
  const headers = { host: "shop.example.com", "user-agent": "curl/8" };
  const response = await filter.request({ path: "/products/42?color=red", headers }, { upstream });
  return {
    status: response.status,
    serviceName: response.headers.get("x-service-name"),
    body: response.text(),
    seen,
    // The other SDKs for AssemblyScript log what they do, and put words of their own around the filter's line.
    logs: response.logs.flatMap(({ message }) => /host \S+ path \S+/.exec(message) ?? []),
  };
}
