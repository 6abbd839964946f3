// Properties.

import type { Family } from "./families.ts";
import { isRefusal } from "./families.ts";

export const propertyCalls: Family = ({ vm }) => ({
  proxy_get_property(path: number, pathSize: number, returnValue: number, returnValueSize: number) {
    if (!vm.memory.has(path, pathSize)) return vm.memory.outside("the path", path, pathSize);
    const segments = vm.memory.text(path, pathSize).split("\0");
    // One NUL at the end is no segment: the C++ SDK writes it.
    if (segments.at(-1) === "") segments.pop();
    const value = vm.context!.property(segments);
    return isRefusal(value) ? value : vm.memory.give(value, returnValue, returnValueSize);
  },
});
