// `proxy-wasm manifest`: what a proxy or a control plane reads to run the filter.

import { Command } from "commander";

import { UsageError } from "./errors.ts";
import type { Streams } from "./streams.ts";

interface ManifestFlags {
  readonly file: string;
  readonly image?: string;
  readonly reference?: string;
  readonly pin: boolean;
  readonly out?: string;
  readonly force?: boolean;
}

/** The targets, for the help: src/manifest/targets.ts, which is loaded when one of them is wanted. */
const help = `
Targets:
  istio                    WasmPlugin, Istio 1.12 and newer
  istio-traffic-extension  TrafficExtension, Istio 1.30 and newer
  istio-envoy-filter       EnvoyFilter, for what these two cannot express
  envoy-gateway            EnvoyExtensionPolicy, Envoy Gateway 1.3 and newer
  higress                  WasmPlugin of Higress 2
  envoy                    a configuration for Envoy itself
  kong                     filter chain, Kong Gateway 3.4 to 3.9
  kong-meta                the description of the filter beside its module in Kong
  nginx                    nginx.conf for nginx with ngx_wasm_module
  apisix                   route, Apache APISIX
  apisix-config            the filter in APISIX' config.yaml
  google                   commands for Google Cloud's Service Extensions

Images are pinned by their digest: the one in the reference, or that of build/image, which push pushed.

Examples:
  proxy-wasm manifest istio | kubectl apply -f -
  proxy-wasm manifest istio --reference "$(proxy-wasm push ghcr.io/acme/my-filter:1.0.0)"
  proxy-wasm manifest envoy --out deploy/envoy.yaml`;

/** The command. */
export function manifestCommand(streams: Streams): Command {
  return new Command("manifest")
    .description("write from proxy-wasm.json what a proxy reads to run the filter")
    .argument("<target>", "for what")
    .option("-f, --file <file>", "what is known of the filter", "proxy-wasm.json")
    .option("-r, --reference <image>", "the image, in place of the one in proxy-wasm.json")
    .option("-i, --image <path>", "the pushed image on disk, whose digest is pinned: build/image without")
    .option("--no-pin", "leave the image's digest out")
    .option("-o, --out <file>", "write to a file, not to stdout")
    .option("--force", "replace the file that is there")
    .addHelpText("after", help)
    .action((target: string, flags: ManifestFlags) => run(target, flags, streams));
}

async function run(name: string, flags: ManifestFlags, { stdout }: Streams): Promise<void> {
  const { targets } = await import("../manifest/targets.ts");
  const target = targets.find((target) => target.name === name);
  if (!target) {
    throw new UsageError(`there is no target "${name}"; there are ${targets.map((target) => target.name).join(", ")}`);
  }
  if (!flags.pin && flags.image !== undefined)
    throw new UsageError("--image is there to pin its digest, and --no-pin pins none");
  const [{ loadFilter }, { writeWhole }] = await Promise.all([
    import("../manifest/load.ts"),
    import("./write-whole.ts"),
  ]);
  const { file, image: layout, reference, pin, out, force = false } = flags;
  const { filter, places } = await loadFilter(target, { file, layout, reference, pin });
  const text = target.write(filter, places);
  if (out === undefined) stdout.write(text);
  else await writeWhole(out, text, { force, flag: "--out" });
}
