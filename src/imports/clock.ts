// The clock and the tick.

import { RootContext } from "../root-context.ts";
import type { Family } from "./families.ts";

export const clockCalls: Family = ({ vm, host }) => ({
  proxy_get_current_time_nanoseconds(returnTime: number) {
    return vm.memory.writeLong(returnTime, host.clock.now());
  },

  proxy_set_tick_period_milliseconds(period: number) {
    const root = vm.context?.root;
    if (root instanceof RootContext) root.setTickPeriod(period);
    return undefined;
  },
});
