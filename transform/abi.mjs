// The version of the ABI that a filter is built for.

import { SDK } from "./contexts.mjs";

/** Names of exports that ABI 0.1.0 has with other parameters. */
const headersCallbacks = ["proxy_on_request_headers", "proxy_on_response_headers"];

/** Exports what the chosen version of the ABI wants: `version` is 10 for 0.1.0, 20 for 0.2.0, otherwise 0.2.1. */
export function chooseAbi(module, version) {
  const marker = "proxy_abi_version_0_2_1";
  const older = { 10: "proxy_abi_version_0_1_0", 20: "proxy_abi_version_0_2_0" }[version];
  if (older) {
    module.addFunctionExport(`${SDK}callbacks/${marker}`, older);
    module.removeExport(marker);
  }
  for (const name of headersCallbacks) {
    module.removeExport(`${name}_0_1_0`);
    if (version !== "10" || !module.getExport(name)) continue;
    module.removeExport(name);
    module.addFunctionExport(`${SDK}callbacks/${name}_0_1_0`, name);
  }
}
