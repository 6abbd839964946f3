// The clock and the tick.

import { Status } from "../../assembly/abi.ts";
import { Misuse } from "../error.ts";
import { RootContext } from "../contexts/root-context.ts";
import type { Family } from "./families.ts";

export const clockCalls: Family = ({ vm, host }) => ({
  proxy_get_current_time_nanoseconds(returnTime: number) {
    return vm.memory.writeLong(returnTime, host.clock.now());
  },

  proxy_set_tick_period_milliseconds(period: number) {
    const root = vm.context?.root;
    if (host.proxy.profile.strictTicks) {
      const isRoot = root === vm.context;
      if (!isRoot) return new Misuse(Status.BadArgument, "only a root context can tick");
      if (period && root?.ticks) return new Misuse(Status.BadArgument, "it ticks already; set the period to 0 first");
    }
    if (root instanceof RootContext) root.setTickPeriod(period);
    return undefined;
  },
});
