// Shared data.

import { type Family, isRefusal } from "./families.ts";

export const sharedDataCalls: Family = ({ vm, host }) => {
  const data = host.proxy.sharedData;
  return {
    proxy_get_shared_data(
      key: number,
      keySize: number,
      returnValue: number,
      returnValueSize: number,
      returnCas: number,
    ) {
      if (!vm.memory.has(key, keySize)) return vm.memory.outside("the key", key, keySize);
      const found = data.get(vm.context!.plugin.options.vmId, vm.memory.text(key, keySize));
      if (isRefusal(found)) return found;
      return vm.memory.give(found.value, returnValue, returnValueSize) ?? vm.memory.writeNumber(returnCas, found.cas);
    },

    proxy_set_shared_data(key: number, keySize: number, value: number, valueSize: number, cas: number) {
      if (!vm.memory.has(key, keySize)) return vm.memory.outside("the key", key, keySize);
      if (!vm.memory.has(value, valueSize)) return vm.memory.outside("the value", value, valueSize);
      const { vmId } = vm.context!.plugin.options;
      return data.set(vmId, vm.memory.text(key, keySize), vm.memory.copy(value, valueSize), cas);
    },
  };
};
