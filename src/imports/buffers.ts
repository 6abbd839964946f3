// Bodies and configurations.

import { BufferType, Status } from "../../assembly/abi.ts";
import { Body } from "../http/body.ts";
import { bufferNames } from "../contexts/context.ts";
import { Refusal } from "../error.ts";
import { beyond } from "../limits.ts";
import { type Family, isRefusal, unknownValue } from "./families.ts";

export const bufferCalls: Family = ({ vm, host }) => {
  const { limits } = host;
  const { bodyReads, readsFromStart } = host.proxy.profile;
  const misuse = (type: number, toChange: boolean): Refusal | undefined =>
    bodyReads && vm.context!.bufferMisuse(type, toChange);
  return {
    proxy_get_buffer_bytes(type: number, start: number, maxSize: number, returnData: number, returnSize: number) {
      if (type > BufferType.CallData) return unknownValue("buffer", type, BufferType.CallData);
      const buffer = misuse(type, false) ?? vm.context!.buffer(type);
      if (isRefusal(buffer)) return buffer;
      if (!readsFromStart) {
        const bytes = buffer instanceof Uint8Array ? buffer.subarray(0, maxSize) : buffer.slice(0, maxSize);
        return bytes.length ? vm.memory.give(bytes, returnData, returnSize) : undefined;
      }
      const bytes =
        buffer instanceof Uint8Array ? buffer.subarray(start, start + maxSize) : buffer.slice(start, maxSize);
      return vm.memory.give(bytes, returnData, returnSize);
    },

    proxy_get_buffer_status(type: number, returnSize: number, returnFlags: number) {
      if (type > BufferType.CallData) return unknownValue("buffer", type, BufferType.CallData);
      const buffer = vm.context!.buffer(type);
      if (isRefusal(buffer)) return buffer;
      return vm.memory.writeNumber(returnSize, buffer.length) ?? vm.memory.writeNumber(returnFlags, 0);
    },

    proxy_set_buffer_bytes(type: number, start: number, size: number, value: number, valueSize: number) {
      if (type > BufferType.CallData) return unknownValue("buffer", type, BufferType.CallData);
      if (!vm.memory.has(value, valueSize)) return vm.memory.outside("the new content", value, valueSize);
      const wrong = misuse(type, true);
      if (wrong) return wrong;
      const buffer = vm.context!.buffer(type);
      if (isRefusal(buffer)) return buffer;
      if (buffer instanceof Body) {
        const kept = start ? buffer.length : Math.max(buffer.length - size, 0);
        if (kept + valueSize > limits.bodyBytes) {
          const what = `the bytes of ${bufferNames[type as BufferType]}`;
          return beyond("bodyBytes", what, kept + valueSize, limits);
        }
        const bytes = vm.memory.copy(value, valueSize);
        return bodyReads ? buffer.overwrite(start, size, bytes) : buffer.splice(start, size, bytes);
      }
      const name = bufferNames[type as BufferType];
      return new Refusal(
        Status.BadArgument,
        `${name} cannot be changed now: bodies can, in their own callback and while they are held there`,
      );
    },

    proxy_get_configuration(returnData: number, returnSize: number) {
      const { plugin } = vm.context!;
      if (readsFromStart) {
        return vm.memory.give(plugin.configurationNow ?? plugin.vmConfiguration, returnData, returnSize);
      }
      const { configuration } = plugin;
      return configuration.length ? vm.memory.give(configuration, returnData, returnSize) : undefined;
    },
  };
};
