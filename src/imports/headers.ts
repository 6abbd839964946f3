// Header maps.

import { MapType, Status } from "../../assembly/abi.ts";
import { decodeText } from "../bytes.ts";
import { mapNames } from "../context.ts";
import { Refusal } from "../error.ts";
import type { HeaderMap } from "../header-map.ts";
import { decodePairs, encodePairs } from "../pairs.ts";
import { type Family, isRefusal, type Surroundings, unknownValue } from "./families.ts";

const mostMaps = MapType.HttpCallResponseTrailers;

export const headerCalls: Family = (surroundings) => {
  const { vm, host } = surroundings;
  const { has } = checks(surroundings);
  const add = (change: (map: HeaderMap, name: string, value: string) => void) => {
    return (type: number, key: number, keySize: number, value: number, valueSize: number) => {
      const wrong = has(type, "the name", key, keySize) ?? has(type, "the value", value, valueSize);
      if (wrong) return wrong;
      const map = vm.context!.headerMap(type, true);
      if (isRefusal(map)) return map;
      change(map, vm.memory.text(key, keySize), vm.memory.text(value, valueSize));
      return undefined;
    };
  };
  return {
    proxy_get_header_map_value(
      type: number,
      key: number,
      keySize: number,
      returnValue: number,
      returnValueSize: number,
    ) {
      const wrong = has(type, "the name", key, keySize);
      if (wrong) return wrong;
      const map = vm.context!.headerMap(type, false);
      const name = vm.memory.text(key, keySize);
      const value = isRefusal(map) ? map : (map.get(name) ?? none(type, name));
      if (!isRefusal(value)) return vm.memory.give(value, returnValue, returnValueSize);
      // ABI 0.1.0 knows no missing header, only an empty one.
      const empty = vm.abi === "0.1.0" && value.status === Status.NotFound;
      return empty ? vm.memory.give("", returnValue, returnValueSize) : value;
    },

    proxy_get_header_map_pairs(type: number, returnData: number, returnSize: number) {
      if (type > mostMaps) return unknownValue("header map", type, mostMaps);
      const map = vm.context!.headerMap(type, false);
      const entries = isRefusal(map) ? [] : map.entries;
      return vm.memory.give(entries.length ? encodePairs(entries) : "", returnData, returnSize);
    },

    proxy_get_header_map_size(type: number, returnSize: number) {
      if (type > mostMaps) return unknownValue("header map", type, mostMaps);
      const map = vm.context!.headerMap(type, true);
      return isRefusal(map) ? map : vm.memory.writeNumber(returnSize, map.byteSize);
    },

    proxy_set_header_map_pairs(type: number, pairs: number, pairsSize: number) {
      const wrong = has(type, "the pairs", pairs, pairsSize);
      if (wrong) return wrong;
      const map = vm.context!.headerMap(type, true);
      if (isRefusal(map)) return map;
      map.replaceAll(decodePairs(vm.memory.view(pairs, pairsSize), host.limits));
      return undefined;
    },

    proxy_add_header_map_value: add((map, name, value) => map.add(name, value)),
    proxy_replace_header_map_value: add((map, name, value) => map.set(name, value)),

    proxy_remove_header_map_value(type: number, key: number, keySize: number) {
      const wrong = has(type, "the name", key, keySize);
      if (wrong) return wrong;
      const map = vm.context!.headerMap(type, true);
      if (isRefusal(map)) return map;
      map.delete(vm.memory.text(key, keySize));
      return undefined;
    },
  };
};

function checks({ vm }: Surroundings): {
  has(type: number, what: string, at: number, size: number): Refusal | undefined;
} {
  return {
    has: (type, what, at, size) => {
      if (type > mostMaps) return unknownValue("header map", type, mostMaps);
      return vm.memory.has(at, size) ? undefined : vm.memory.outside(what, at, size);
    },
  };
}

function none(type: MapType, name: string): Refusal {
  return new Refusal(Status.NotFound, `there is no ${JSON.stringify(decodeText(name))} in ${mapNames[type]}`);
}
