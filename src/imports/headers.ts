// Header maps.

import { MapType, Status } from "../../assembly/abi.ts";
import { decodeText } from "../encoding/bytes.ts";
import { mapNames } from "../contexts/context.ts";
import { Refusal } from "../error.ts";
import type { HeaderEntry, HeaderMap } from "../http/header-map.ts";
import { beyond, bytesOfEntries, ENTRY_BYTES } from "../limits.ts";
import { decodePairs, encodePairs } from "../encoding/pairs.ts";
import { type Family, isRefusal, type Surroundings, unknownValue } from "./families.ts";

const mostMaps = MapType.HttpCallResponseTrailers;

export const headerCalls: Family = (surroundings) => {
  const { vm, host } = surroundings;
  const { limits } = host;
  const most = limits.headerMapBytes;
  const { has } = checks(surroundings);
  const { profile } = host.proxy;
  const { missingMapValue, missingMapPairs, mostPairs } = profile;
  const rules = writeRules(surroundings);
  const add = (change: (map: HeaderMap, name: string, value: string) => void) => {
    return (type: number, key: number, keySize: number, value: number, valueSize: number) => {
      const wrong = has(type, "the name", key, keySize) ?? has(type, "the value", value, valueSize);
      if (wrong) return wrong;
      const context = vm.context!;
      const map = context.headerMap(type, true);
      if (isRefusal(map)) return map;
      const size = keySize + valueSize + ENTRY_BYTES;
      context.headerBytes += size;
      if (context.headerBytes > most) {
        // Much was written; what is there now is what counts.
        context.headerBytes = bytesOfEntries(map.entries) + size;
        if (context.headerBytes > most) {
          return beyond("headerMapBytes", `the bytes of ${mapNames[type as MapType]}`, context.headerBytes, limits);
        }
      }
      const name = vm.memory.text(key, keySize);
      const text = vm.memory.text(value, valueSize);
      if (rules) rules.change(type, name, () => change(map, name, rules.escape(text)));
      else change(map, name, text);
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
      const value = isRefusal(map) ? map : (map.get(map.key(name)) ?? none(type, name));
      if (!isRefusal(value)) return vm.memory.give(value, returnValue, returnValueSize);
      if (isRefusal(map) && missingMapValue !== undefined) return new Refusal(missingMapValue, map.reason);
      // ABI 0.1.0 knows no missing header, only an empty one.
      const empty = vm.abi === "0.1.0" && value.status === Status.NotFound;
      return empty ? vm.memory.give("", returnValue, returnValueSize) : value;
    },

    proxy_get_header_map_pairs(type: number, returnData: number, returnSize: number) {
      if (type > mostMaps) return unknownValue("header map", type, mostMaps);
      const map = vm.context!.headerMap(type, false);
      if (isRefusal(map) && missingMapPairs !== undefined) return new Refusal(missingMapPairs, map.reason);
      const all = isRefusal(map) ? [] : map.entries;
      const entries = mostPairs === undefined ? all : all.slice(0, mostPairs);
      if (missingMapPairs !== undefined) return vm.memory.give(encodePairs(entries), returnData, returnSize);
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
      const entries = decodePairs(vm.memory.view(pairs, pairsSize), host.limits);
      if (rules) rules.replaceAll(type, map, entries);
      else map.replaceAll(entries);
      return undefined;
    },

    proxy_add_header_map_value: add((map, name, value) =>
      profile.joinsHeaders
        ? map.add(name, value)
        : name.startsWith(":")
          ? map.set(name, value)
          : map.append(name, value),
    ),
    proxy_replace_header_map_value: add((map, name, value) => map.set(name, value)),

    proxy_remove_header_map_value(type: number, key: number, keySize: number) {
      const wrong = has(type, "the name", key, keySize);
      if (wrong) return wrong;
      const map = vm.context!.headerMap(type, true);
      if (isRefusal(map)) return map;
      const name = vm.memory.text(key, keySize);
      if (rules) rules.change(type, name, () => map.delete(name));
      else map.delete(name);
      return undefined;
    },
  };
};

function checks({ vm, host: { limits } }: Surroundings): {
  has(type: number, what: string, at: number, size: number): Refusal | undefined;
} {
  return {
    has: (type, what, at, size) => {
      if (type > mostMaps) return unknownValue("header map", type, mostMaps);
      if (!vm.memory.has(at, size)) return vm.memory.outside(what, at, size);
      return size > limits.headerMapBytes ? beyond("headerMapBytes", `the bytes of ${what}`, size, limits) : undefined;
    },
  };
}

function none(type: MapType, name: string): Refusal {
  return new Refusal(Status.NotFound, `there is no ${JSON.stringify(decodeText(name))} in ${mapNames[type]}`);
}

/** How a host takes changes that does not take all; undefined when it does. */
function writeRules({ vm, host }: Surroundings) {
  const { readOnlyHeaders, escapesHeaders, title } = host.proxy.profile;
  if (!readOnlyHeaders.length && !escapesHeaders) return undefined;
  const isReadOnly = (type: MapType, name: string): boolean => {
    const readOnly = type === MapType.HttpRequestHeaders && readOnlyHeaders.includes(name);
    if (readOnly) vm.context!.trace.push({ kind: "note", text: `${title} does not change ${name}, and says Ok` });
    return readOnly;
  };
  const escape = (value: string): string =>
    // What is no tab among the control characters.
    value.replace(
      /[\0-\x08\x0a-\x1f\x7f]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    );
  return {
    escape,
    change(type: MapType, name: string, change: () => void): void {
      if (!isReadOnly(type, name)) change();
    },
    /** All but pseudo headers go; the new ones come one by one, the last of a name only, until one cannot be changed. */
    replaceAll(type: MapType, map: HeaderMap, entries: readonly HeaderEntry[]): void {
      for (const [name] of map.entries) if (!name.startsWith(":")) map.delete(name);
      for (const [name, value] of entries) {
        if (isReadOnly(type, name)) return;
        map.set(name, escape(value));
      }
    },
  };
}
