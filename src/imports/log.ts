// The log, and the level below which the host drops lines.

import { LogLevel } from "../../assembly/abi.ts";
import { decodeText } from "../encoding/bytes.ts";
import { beyond } from "../limits.ts";
import { type Family, unknownValue } from "./families.ts";

export const logCalls: Family = ({ vm, host, host: { limits } }) => ({
  proxy_log(level: number, message: number, messageSize: number) {
    if (level > LogLevel.Critical) return unknownValue("log level", level, LogLevel.Critical);
    if (!vm.memory.has(message, messageSize)) return vm.memory.outside("the message", message, messageSize);
    if (messageSize > limits.logLineBytes) return beyond("logLineBytes", "the bytes of the line", messageSize, limits);
    if (level < host.logLevel) return undefined;
    const entry = { level, message: decodeText(vm.memory.text(message, messageSize)) };
    vm.context?.trace.push({ kind: "log", ...entry });
    // Inside the allocator Envoy's context is the VM's own, which has no name.
    host.log(entry, vm.restricted ? undefined : vm.context);
    return undefined;
  },

  proxy_get_log_level(returnLevel: number) {
    return vm.memory.writeNumber(returnLevel, host.logLevel);
  },
});
