// Takes out of a filter the callbacks that no class of it overrides, so that the proxy never crosses the boundary for
// them, and warns about a filter that registers nothing, a context that overrides nothing, and libraries that need another
// runtime. asc runs it after compilation, before optimization, which then drops what only the removed exports reached. A
// compiler that is built differently keeps every export: the filter works all the same.

import { createRequire } from "node:module";

import { version as compilerVersion } from "assemblyscript/asc";

import "./library.mjs";
import { keepApart } from "./transform/cold.mjs";
import { bases, isContext, SDK } from "./transform/contexts.mjs";
import { trimFrames } from "./transform/frames.mjs";
import { shortenLiterals } from "./transform/literals.mjs";
import { headerReaders } from "./transform/object-headers.mjs";
import { registersOneRootContext } from "./transform/registrations.mjs";
import { sharedClass } from "./transform/shared-context.mjs";
import { joinTexts } from "./transform/texts.mjs";

const { version: sdkVersion } = createRequire(import.meta.url)("./package.json");

/** What a `BodyContext` calls while a body passes. */
const bodyHooks = (which) => [`onWhole${which}Body`, `on${which}Chunk`, `on${which}Text`];

/** The method, or methods, of a context class behind an export. Exports that are not listed are always needed. */
const methods = {
  proxy_on_done: "onDone",
  proxy_on_log: "onLog",
  proxy_on_tick: "onTick",
  proxy_on_queue_ready: "onQueueReady",
  proxy_on_request_headers: "onRequestHeaders",
  proxy_on_request_body: ["onRequestBody", ...bodyHooks("Request")],
  proxy_on_request_trailers: ["onRequestTrailers", ...bodyHooks("Request")],
  proxy_on_response_headers: "onResponseHeaders",
  proxy_on_response_body: ["onResponseBody", ...bodyHooks("Response")],
  proxy_on_response_trailers: ["onResponseTrailers", ...bodyHooks("Response")],
  proxy_on_request_metadata: "onRequestMetadata",
  proxy_on_response_metadata: "onResponseMetadata",
  proxy_on_new_connection: "onNewConnection",
  proxy_on_downstream_data: "onDownstreamData",
  proxy_on_upstream_data: "onUpstreamData",
  proxy_on_downstream_connection_close: "onDownstreamClose",
  proxy_on_upstream_connection_close: "onUpstreamClose",
  proxy_on_http_call_response: "onHttpCallResponse",
  proxy_on_grpc_receive_initial_metadata: "onGrpcReceiveInitialMetadata",
  proxy_on_grpc_receive: "onGrpcReceive",
  proxy_on_grpc_receive_trailing_metadata: "onGrpcReceiveTrailingMetadata",
  proxy_on_grpc_close: "onGrpcClose",
  proxy_on_foreign_function: "onForeignFunction",
  envoy_on_resolve_dns: "onResolveDns",
  envoy_on_stats_update: "onStatsUpdate",
};

/** Exports that some hosts insist on (ngx_wasm_module), with what they mean when no class overrides them: accepted. */
const accepting = { proxy_on_vm_start: "onVmStart", proxy_on_configure: "onConfigure" };

/** Functions of the SDK that need callbacks, whether or not a class overrides them. */
const needing = {
  [`${SDK}timers/startTimer`]: ["onTick"],
  [`${SDK}queues/subscribeTexts`]: ["onQueueReady"],
  [`${SDK}queues/subscribeBytes`]: ["onQueueReady"],
  [`${SDK}dns/startDns`]: ["onResolveDns"],
  [`${SDK}http-call/startHttpCall`]: ["onHttpCallResponse"],
  [`${SDK}grpc/startGrpcCall`]: ["onGrpcReceive", "onGrpcClose"],
  [`${SDK}grpc/startGrpcStream`]: [
    "onGrpcReceiveInitialMetadata",
    "onGrpcReceive",
    "onGrpcReceiveTrailingMetadata",
    "onGrpcClose",
  ],
};

export default class PruneExports {
  afterParse(parser) {
    joinTexts(parser.sources);
  }

  afterCompile(module) {
    module?.addCustomSection?.("producers", producers());
    const instances = this.program?.instancesByName;
    if (!(instances instanceof Map) || typeof module?.removeExport !== "function") return;
    const overridden = new Set();
    for (const [name, element] of instances) {
      const method = /#(on\w+)$/.exec(name)?.[1];
      if (method && isContext(element.parent) && !bases.has(element.parent.internalName)) {
        overridden.add(method);
      }
      if (Object.hasOwn(needing, name)) for (const method of needing[name]) overridden.add(method);
    }
    const bothKinds = hasBothKinds(instances);
    if (bothKinds) overridden.add("onNewConnection");
    for (const [name, behind] of Object.entries(methods)) {
      if (![behind].flat().some((method) => overridden.has(method))) module.removeExport(name);
    }
    chooseAbi(module, this.program.options.globalAliases?.get("PROXY_WASM_ABI"));
    const { i32, none, createType } = this.binaryen;
    module.addFunction("accept", createType([i32, i32]), i32, [], module.i32.const(1));
    for (const [name, method] of Object.entries(accepting)) {
      if (overridden.has(method)) continue;
      module.removeExport(name);
      module.addFunctionExport("accept", name);
    }
    const replace = (name, body) => {
      const replaced = module.getFunction(name);
      if (replaced) this.binaryen.Function.setBody(replaced, body);
    };
    const shared = sharedClass(this.program, overridden);
    if (shared) {
      replace(`${SDK}callback/sharedClass`, module.i32.const(shared));
      module.removeExport("proxy_on_delete");
      // ngx_wasm_module insists on this one.
      module.removeExport("proxy_on_context_create");
      module.addFunction("ignore", createType([i32, i32]), none, [], module.nop());
      module.addFunctionExport("ignore", "proxy_on_context_create");
    }
    if (registersOneRootContext(module, this.binaryen))
      replace(`${SDK}registry/chooseRootContext`, module.unreachable());
    if (!bothKinds) {
      replace(`${SDK}registry/hasBothKinds`, module.i32.const(0));
      replace(`${SDK}registry/decide`, module.unreachable());
    }
    // Whether a stream is over is asked by what answers it, and told in the callbacks of its end.
    const answering =
      ["closeStream", "send"].some((name) => instances.has(`${SDK}stream/${name}`)) &&
      ["onDone", "onLog"].some((method) => overridden.has(method));
    if (!answering) replace(`${SDK}flow/isAnswered`, module.i32.const(0));
    if (!instances.has(`${SDK}stream/continueStream`)) replace(`${SDK}flow/isContinued`, module.i32.const(0));
    dropObjectConstructor(module, this.binaryen, this.program.sources);
    trimFrames(module, this.binaryen, this.program, shared !== 0);
    shortenStackCheck(module, this.binaryen);
    keepApart(
      module,
      this.binaryen,
      [...overridden].map((method) => `*#${method}`),
    );
    shortenLiterals(module, this.binaryen, this.program.options.optimizeLevelHint > 0, replace);
    const readers = instances.has(`${SDK}heap/newObject`) ? headerReaders(this.program.sources) : [];
    if (readers.length) {
      this.stderr.write(
        `WARNING: object headers (rt/common) are read in ${readers.join(", ")}. The runtime "proxy-wasm" lays them out ` +
          `otherwise than asc's own ones, so this may go wrong without a word; "runtime": "incremental" fits.\n`,
      );
    }
    if (!instances.has(`${SDK}registry/use`)) {
      this.stderr.write(
        "WARNING: nothing is registered, so the filter does nothing. Call registerHttpContext, registerStreamContext " +
          "or registerRootContext at the top level of the entry file.\n",
      );
    }
    for (const idle of idleContexts(instances)) {
      this.stderr.write(
        `WARNING: class ${idle} overrides no callback, so the proxy never calls it. ` +
          `Callbacks are methods such as onRequestHeaders; "override" before the name makes asc check it.\n`,
      );
    }
  }
}

/** The section that says what a module was made with. Source: tool-conventions, "ProducersSection.md". */
function producers() {
  const name = (text) => [text.length, ...new TextEncoder().encode(text)];
  const entry = (field, value, version) => [name(field), 1, name(value), name(version)].flat();
  const entries = [
    entry("language", "AssemblyScript", ""),
    entry("processed-by", "asc", compilerVersion),
    entry("sdk", "proxy-wasm", sdkVersion),
  ];
  return Uint8Array.from([entries.length, ...entries.flat()]);
}

/**
 * Makes the look at the shadow stack, which every function with objects takes, so short that the optimizer puts it where
 * it is called: a tenth of the time of a small filter.
 */
function shortenStackCheck(module, binaryen) {
  const name = "~stack_check";
  const check = module.getFunction(name);
  if (!check) return;
  const { none, i32, createType } = binaryen;
  const abort = `${SDK}abort/abort`;
  const nothing = Array.from({ length: 4 }, () => module.i32.const(0));
  const stop = module.getFunction(abort) ? module.call(abort, nothing, none) : module.unreachable();
  module.addFunction("~stack_overflow", createType([]), none, [], stop);
  const [pointer, end] = ["~lib/memory/__stack_pointer", "~lib/memory/__data_end"].map((g) =>
    module.global.get(g, i32),
  );
  binaryen.Function.setBody(check, module.if(module.i32.lt_s(pointer, end), module.call("~stack_overflow", [], none)));
}

/**
 * Makes the constructor that every object's own one calls do nothing: an object is there by then, unless somebody asks
 * for a plain one.
 */
function dropObjectConstructor(module, binaryen, sources) {
  const constructor = module.getFunction("~lib/object/Object#constructor");
  if (!constructor || sources.some(({ text }) => /\bnew\s+Object\b/.test(text))) return;
  binaryen.Function.setBody(constructor, module.local.get(0, binaryen.i32));
}

/** Names of exports that ABI 0.1.0 has with other parameters. */
const headersCallbacks = ["proxy_on_request_headers", "proxy_on_response_headers"];

/** Exports what the chosen version of the ABI wants: `version` is 10 for 0.1.0, 20 for 0.2.0, otherwise 0.2.1. */
function chooseAbi(module, version) {
  const marker = "proxy_abi_version_0_2_1";
  const older = { 10: "proxy_abi_version_0_1_0", 20: "proxy_abi_version_0_2_0" }[version];
  if (older) {
    module.addFunctionExport(`${SDK}callbacks/${marker}`, older);
    module.removeExport(marker);
  }
  for (const name of headersCallbacks) {
    module.removeExport(`${name}_0_1_0`);
    if (version !== "10" || !module.getExport(name)) continue;
    module.removeExport(name);
    module.addFunctionExport(`${SDK}callbacks/${name}_0_1_0`, name);
  }
}

/** Whether the module makes contexts for HTTP and for TCP. */
function hasBothKinds(instances) {
  return ["Http", "Stream"].every(
    (kind) =>
      instances.has(`${SDK}registry/register${kind}Context`) ||
      [...instances].some(
        ([name, element]) => name.endsWith(`#create${kind}Context`) && !bases.has(element.parent.internalName),
      ),
  );
}

/** The names of the author's classes that are constructed and neither override a callback nor inherit one that does. */
function* idleContexts(instances) {
  const owners = new Set(
    [...instances].filter(([name]) => /#(on|create)[A-Z]\w*$/.test(name)).map(([, f]) => f.parent),
  );
  const extended = new Set([...instances.values()].map((element) => element.base));
  for (const element of instances.values()) {
    const name = element.internalName;
    if (!element.constructorInstance || extended.has(element)) continue;
    if (!isContext(element) || name.startsWith("~lib/proxy-wasm/")) continue;
    let type = element;
    while (!bases.has(type.internalName) && !owners.has(type)) type = type.base;
    if (bases.has(type.internalName)) yield name.replace(/<.*/, "").replace(/.*\//, "");
  }
}
