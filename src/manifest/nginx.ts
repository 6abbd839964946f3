// nginx with ngx_wasm_module. Source: Kong/ngx_wasm_module docs/DIRECTIVES.md.

import { head } from "./document.ts";
import { ManifestError } from "./error.ts";
import { type Filter, type NginxPlace, textOf } from "./filter.ts";
import { checkLimits } from "./limits.ts";
import { commentLines } from "./yaml.ts";

/** An nginx.conf. */
export function nginxConf(filter: Filter, place: NginxPlace): string {
  checkLimits(filter, "nginx");
  const { name, module } = filter;
  const { file = module, listen = "127.0.0.1:8080", location = "/", upstream } = place;
  const [configuration, vmConfiguration] = [textOf(filter.configuration), textOf(filter.vmConfiguration)];
  const zones = "Each proxy_set_shared_data needs a zone: shm_kv * 64k;";
  return `${commentLines(`${head("nginx")}\nFor an nginx with ngx_wasm_module (WasmX). Look at it with: nginx -t -c FILE`)}
events {}

wasm {
    # Where the filter lies on the machine that nginx runs on.
    module ${name} ${[quoted(file), ...texts(vmConfiguration)].join(" ")};
    # ${zones}
}

http {
    server {
        # Where nginx listens.
        listen ${listen};

        location ${location} {
            # The filters of a location run in the order of the file. What is in quotes, the filter reads as its
            # configuration.
            proxy_wasm ${[name, ...texts(configuration)].join(" ")};
            ${upstream === undefined ? '# In place of a server.\n            return 200 "Hello, world!"' : `# The server that requests go to.\n            proxy_pass ${upstream.replace(/\/$/, "")}`};
        }
    }
}
`;
}

function texts(text: string | undefined): string[] {
  return text === undefined ? [] : [quoted(text)];
}

/** A word of nginx's configuration: `\\` and `'` are escaped, everything else is as it is. */
function quoted(text: string): string {
  if (text.includes("\0")) throw new ManifestError("nginx takes no configuration with the character U+0000");
  return `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
}
