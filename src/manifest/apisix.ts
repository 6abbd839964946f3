// Apache APISIX: the filter in config.yaml, and a route with it in apisix.yaml (APISIX without etcd).
// Source: apache/apisix docs/en/latest/wasm.md, apisix/wasm.lua, apisix/cli/schema.lua.

import { head } from "./document.ts";
import { ManifestError } from "./error.ts";
import type { ApisixPlace, Filter } from "./filter.ts";
import { checkLimits } from "./limits.ts";
import { note, writeYaml } from "./yaml.ts";

/** The part of config.yaml. */
export function apisixConfig(filter: Filter, place: ApisixPlace): string {
  checkLimits(filter, "apisix");
  const { name, priority, module } = filter;
  return writeYaml(
    `${head("apisix-config")}\nPart of APISIX' config.yaml. APISIX calls _start first: compile the filter with --exportStart _start.`,
    {
      wasm: {
        plugins: [
          {
            name,
            priority: note("The highest runs first, among APISIX' own plugins too.", priority),
            file: note("Where the filter lies on the machine that APISIX runs on.", place.file ?? module),
            http_request_phase: note(
              "When requests come to the filter: in the phase access, or rewrite.",
              place.requestPhase ?? "access",
            ),
          },
        ],
      },
    },
  );
}

/** A route with the filter. */
export function apisixRoute(filter: Filter, place: ApisixPlace): string {
  checkLimits(filter, "apisix");
  const { name, configuration = {} } = filter;
  if (configuration === "") {
    throw new ManifestError('APISIX takes no empty text for a configuration, and "configuration" is one; leave it out');
  }
  const { uri = "/*", upstream = "http://127.0.0.1:8000" } = place;
  const url = new URL(upstream);
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const yaml = writeYaml(`${head("apisix")}\nFor config.yaml: proxy-wasm manifest apisix-config`, {
    routes: [
      {
        id: name,
        uri,
        plugins: {
          [name]: {
            conf: note(
              "What the filter reads as its configuration; there has to be one, so that {} is the least.",
              configuration,
            ),
          },
        },
        upstream: note("The server that requests go to.", {
          type: "roundrobin",
          scheme: url.protocol.slice(0, -1),
          nodes: { [`${url.hostname}:${port}`]: 1 },
        }),
      },
    ],
  });
  // APISIX reads the file when it finds this line.
  return `${yaml}#END\n`;
}
