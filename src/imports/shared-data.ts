// Shared data.

import { Status } from "../../assembly/abi.ts";
import { decodeText } from "../encoding/bytes.ts";
import { Misuse, type Refusal } from "../error.ts";
import { beyond } from "../limits.ts";
import { type Family, isRefusal } from "./families.ts";

export const sharedDataCalls: Family = ({ vm, host }) => {
  const { limits } = host;
  const data = host.proxy.sharedData;
  const { sharedDataZones, casZeroOverwrites, title } = host.proxy.profile;
  /** Why a key has no place, in a host where it needs one. */
  const homeless = (key: string): Refusal | undefined => {
    if (!sharedDataZones) return undefined;
    const [zone, ...rest] = key.split("/");
    if ((rest.length && sharedDataZones.includes(zone!)) || sharedDataZones.includes("*")) return undefined;
    const zones = sharedDataZones.join(", ") || "none";
    const what = `no zone is declared for the shared data under ${JSON.stringify(decodeText(key))}; there are ${zones}`;
    return new Misuse(Status.NotFound, `${what} (${title}: shm_kv; here: sharedDataZones)`);
  };
  return {
    proxy_get_shared_data(
      key: number,
      keySize: number,
      returnValue: number,
      returnValueSize: number,
      returnCas: number,
    ) {
      if (!vm.memory.has(key, keySize)) return vm.memory.outside("the key", key, keySize);
      const name = vm.memory.text(key, keySize);
      const found = homeless(name) ?? data.get(vm.context!.plugin.options.vmId, name);
      if (isRefusal(found)) return found;
      return vm.memory.give(found.value, returnValue, returnValueSize) ?? vm.memory.writeNumber(returnCas, found.cas);
    },

    proxy_set_shared_data(key: number, keySize: number, value: number, valueSize: number, cas: number) {
      if (!vm.memory.has(key, keySize)) return vm.memory.outside("the key", key, keySize);
      if (!vm.memory.has(value, valueSize)) return vm.memory.outside("the value", value, valueSize);
      const { vmId } = vm.context!.plugin.options;
      const name = vm.memory.text(key, keySize);
      const wrong = homeless(name);
      if (wrong) return wrong;
      if (!casZeroOverwrites && !value) return data.delete(vmId, name, cas);
      const bytes = data.bytesWith(vmId, name, valueSize);
      if (bytes > limits.sharedDataBytes) return beyond("sharedDataBytes", "the bytes of shared data", bytes, limits);
      return data.set(vmId, name, vm.memory.copy(value, valueSize), cas, !casZeroOverwrites);
    },
  };
};
