// Names that the proxy resolves for a filter; Envoy's own, which the ABI does not have.

import { decodeText } from "../encoding/bytes.ts";
import { beyond } from "../limits.ts";
import type { Family } from "./families.ts";

export const dnsCalls: Family = ({ vm, host: { limits } }) => ({
  envoy_resolve_dns(name: number, nameSize: number, returnToken: number) {
    const { memory } = vm;
    if (!memory.has(name, nameSize)) return memory.outside("the name", name, nameSize);
    if (nameSize > limits.calloutRequestBytes) {
      return beyond("calloutRequestBytes", "the bytes of the name", nameSize, limits);
    }
    const token = vm.newDnsToken();
    const wrong = memory.writeNumber(returnToken, token);
    if (wrong) return wrong;
    return vm.context!.root.resolveDns(decodeText(memory.text(name, nameSize)), token);
  },
});
