// Bodies and configurations.

import { BufferType, Status } from "../../assembly/abi.ts";
import { Body } from "../body.ts";
import { bufferNames } from "../context.ts";
import { Refusal } from "../error.ts";
import { type Family, isRefusal, unknownValue } from "./families.ts";

export const bufferCalls: Family = ({ vm }) => ({
  proxy_get_buffer_bytes(type: number, start: number, maxSize: number, returnData: number, returnSize: number) {
    if (type > BufferType.CallData) return unknownValue("buffer", type, BufferType.CallData);
    const buffer = vm.context!.buffer(type);
    if (isRefusal(buffer)) return buffer;
    const bytes = buffer instanceof Uint8Array ? buffer.subarray(start, start + maxSize) : buffer.slice(start, maxSize);
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
    const buffer = vm.context!.buffer(type);
    if (isRefusal(buffer)) return buffer;
    if (buffer instanceof Body) return buffer.splice(start, size, vm.memory.copy(value, valueSize));
    const name = bufferNames[type as BufferType];
    return new Refusal(
      Status.BadArgument,
      `${name} cannot be changed now: bodies can, in their own callback and while they are held there`,
    );
  },

  proxy_get_configuration(returnData: number, returnSize: number) {
    const { plugin } = vm.context!;
    return vm.memory.give(plugin.configurationNow ?? plugin.vmConfiguration, returnData, returnSize);
  },
});
