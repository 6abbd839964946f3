// Which context host calls mean, and the end of a root context.

import { Status } from "../../assembly/abi.ts";
import { Refusal } from "../error.ts";
import { RootContext } from "../contexts/root-context.ts";
import type { Family } from "./families.ts";

export const contextCalls: Family = ({ vm, host }) => ({
  proxy_set_effective_context(id: number) {
    if (host.proxy.profile.hostCallsBelongTo === "running") return undefined;
    // 0 is the VM's own context in proxy-wasm-cpp-host, and unchooses.
    const context = id ? vm.contexts.get(id) : undefined;
    if (id && !context) return new Refusal(Status.BadArgument, `there is no context ${id}; it may have been deleted`);
    vm.setEffectiveContext(context);
    return undefined;
  },

  proxy_done() {
    const context = vm.context;
    if (context instanceof RootContext) return context.done();
    return new Refusal(Status.NotFound, "proxy_done is for a root context whose on_done has answered false");
  },
});
