// Foreign functions.

import { EnvoyFault } from "../error.ts";
import { Expressions } from "../properties/expressions.ts";
import { findForeignFunction, unknownFunction } from "../services/foreign.ts";
import { decodeText } from "../encoding/bytes.ts";
import { beyond } from "../limits.ts";
import { type Family, isRefusal } from "./families.ts";

export const foreignCalls: Family = ({ vm, host }) => {
  const { profile } = host.proxy;
  const { limits } = host;
  const expressions = new Expressions(host.expressions, limits);
  return {
    proxy_call_foreign_function(
      name: number,
      nameSize: number,
      argument: number,
      argumentSize: number,
      returnResult: number,
      returnResultSize: number,
    ) {
      const { memory } = vm;
      if (!memory.has(name, nameSize)) return memory.outside("the name", name, nameSize);
      if (!memory.has(argument, argumentSize)) return memory.outside("the argument", argument, argumentSize);
      const longest = Math.max(nameSize, argumentSize);
      if (longest > limits.foreignBytes) return beyond("foreignBytes", "the bytes of the argument", longest, limits);
      const text = decodeText(memory.text(name, nameSize));
      const call = findForeignFunction(text, host.foreign, profile);
      if (!call) return unknownFunction(text, host.foreign, profile);
      const running = vm.running!;
      const effective = profile.foreignContext === "chosen" ? vm.context! : running;
      const around = { effective, running, limits, expressions };
      const result = call(memory.copy(argument, argumentSize), around) ?? undefined;
      const refusal = result && isRefusal(result) ? result : undefined;
      const bytes = result && !isRefusal(result) ? result : undefined;
      if (bytes && bytes.length > limits.foreignBytes) {
        return beyond("foreignBytes", `the bytes that ${text} answers`, bytes.length, limits);
      }
      // Envoy writes the answer's address and size for a function that refused, too: 0 and 0.
      let at = 0;
      if (bytes && returnResult) {
        at = memory.place(bytes);
        if (!at && bytes.length) {
          throw new EnvoyFault(
            `the filter's allocator gave no place for the ${bytes.length} bytes that ${text} answers: Envoy 1.40 writes ` +
              "them all the same and crashes (SIGSEGV)",
          );
        }
      }
      const unwritten =
        (returnResult ? memory.writeNumber(returnResult, at) : undefined) ??
        (returnResultSize ? memory.writeNumber(returnResultSize, bytes?.length ?? 0) : undefined);
      return unwritten ?? refusal;
    },
  };
};
