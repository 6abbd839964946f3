// Shared queues.

import { Status } from "../../assembly/abi.ts";
import { decodeText } from "../encoding/bytes.ts";
import { Misuse, type Refusal } from "../error.ts";
import { beyond } from "../limits.ts";
import { RootContext } from "../contexts/root-context.ts";
import { type Family, isRefusal } from "./families.ts";

export const queueCalls: Family = ({ vm, host }) => {
  const { queues, profile } = host.proxy;
  const { queueZones, title } = profile;
  const { limits } = host;
  const noRoom = (size: number): Refusal | undefined => {
    const bytes = queues.bytesWith(size);
    return bytes > limits.queueBytes ? beyond("queueBytes", "the bytes in queues", bytes, limits) : undefined;
  };
  return {
    proxy_register_shared_queue(name: number, nameSize: number, returnQueue: number) {
      if (!vm.memory.has(name, nameSize)) return vm.memory.outside("the name", name, nameSize);
      const full = noRoom(nameSize);
      if (full) return full;
      const { plugin, root } = vm.context!;
      const queueName = vm.memory.text(name, nameSize);
      if (queueZones && !queueZones.includes(decodeText(queueName))) {
        const zones = queueZones.join(", ") || "none";
        const what = `the queue ${JSON.stringify(decodeText(queueName))} is not declared; there are ${zones}`;
        return new Misuse(Status.NotFound, `${what} (${title}: shm_queue; here: queueZones)`);
      }
      const ready = (queue: number): void => {
        // It is the id that counts: after a reload the root context of the new VM hears of the items.
        const registrant = plugin.runningVm?.contexts.get(root.id);
        if (registrant instanceof RootContext) registrant.queueReady(queue);
      };
      const id = queues.register(plugin.options.vmId, queueName, ready);
      return vm.memory.writeNumber(returnQueue, id);
    },

    proxy_resolve_shared_queue(vmId: number, vmIdSize: number, name: number, nameSize: number, returnQueue: number) {
      if (!vm.memory.has(vmId, vmIdSize)) return vm.memory.outside("the vm_id", vmId, vmIdSize);
      if (!vm.memory.has(name, nameSize)) return vm.memory.outside("the name", name, nameSize);
      const owner = vmIdSize ? decodeText(vm.memory.text(vmId, vmIdSize)) : vm.context!.plugin.options.vmId;
      const id = queues.resolve(owner, vm.memory.text(name, nameSize));
      return isRefusal(id) ? id : vm.memory.writeNumber(returnQueue, id);
    },

    proxy_enqueue_shared_queue(queue: number, item: number, itemSize: number) {
      if (!vm.memory.has(item, itemSize)) return vm.memory.outside("the item", item, itemSize);
      const full = noRoom(itemSize);
      if (full) return full;
      return queues.enqueue(queue, vm.memory.copy(item, itemSize));
    },

    proxy_dequeue_shared_queue(queue: number, returnItem: number, returnItemSize: number) {
      const item = queues.dequeue(queue);
      // In Envoy an item that finds no place in the filter's memory is lost.
      return isRefusal(item) ? item : vm.memory.give(item, returnItem, returnItemSize);
    },
  };
};
