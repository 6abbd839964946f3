// What the families of host calls have in common. A host call takes the numbers a filter passes, unsigned, finds the
// values they stand for, asks the context, and hands back what it answers: nothing for Ok, or a refusal.

import { Status } from "../../assembly/abi.ts";
import type { HostContext } from "../contexts/context.ts";
import { Refusal } from "../error.ts";
import type { Host, Plugin } from "../contexts/plugin.ts";
import type { Vm } from "../module/vm.ts";

/** A host call: undefined means Ok. 64-bit numbers come as bigints. */
export type HostCall = (...args: never[]) => Refusal | undefined;

/** What the host calls of a VM work with. */
export interface Surroundings {
  readonly vm: Vm<HostContext>;
  readonly plugin: Plugin;
  readonly host: Host;
}

/** Makes the host calls of a family for a VM, by name. */
export type Family = (surroundings: Surroundings) => Record<string, HostCall>;

/** The refusal of a number that stands for nothing. */
export function unknownValue(what: string, value: number, most: number): Refusal {
  return new Refusal(Status.BadArgument, `there is no ${what} ${value}; they end at ${most}`);
}

/** Whether a value is a refusal. */
export function isRefusal<T>(value: T | Refusal): value is Refusal {
  return value instanceof Refusal;
}
