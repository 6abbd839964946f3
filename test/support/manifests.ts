// A project with a proxy-wasm.json, and the manifests that are written in it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { command, type CommandResult } from "./command.ts";
import { filterWat } from "./compile.ts";

/** The digest that manifests pin in tests. */
export const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

/** A proxy-wasm.json with everything that every target has. */
export const plain = {
  name: "my-filter",
  image: `ghcr.io/acme/my-filter:1.0.0@${DIGEST}`,
  configuration: { header: "x-service-name", value: "my-custom-service" },
  targets: {
    istio: { namespace: "istio-ingress", selector: { istio: "ingressgateway" } },
    "envoy-gateway": { targetRefs: [{ kind: "HTTPRoute", name: "backend" }] },
    google: { project: "my-project", forwardingRules: ["front"] },
  },
};

/** The image where Google takes it from. */
export const googleImage = `europe-docker.pkg.dev/my-project/filters/my-filter:1.0.0@${DIGEST}`;

/** A filter that every proxy takes. */
export const filterModule: Uint8Array = moduleWith("");

/** The same with further functions, as WAT. */
export function moduleWith(functions: string): Uint8Array {
  return filterWat({
    functions: `
      (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 8192))
      (func (export "proxy_on_context_create") (param i32 i32))
      (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
      (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
      ${functions}`,
  });
}

/** A folder with a project in it. */
export class ManifestProject {
  readonly folder: string = mkdtempSync(join(tmpdir(), "proxy-wasm-manifest-"));
  readonly file: string = join(this.folder, "proxy-wasm.json");

  constructor() {
    this.put("build/release.wasm", filterModule);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  put(name: string, content: string | Uint8Array): string {
    mkdirSync(join(this.folder, name, ".."), { recursive: true });
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  /** Runs `manifest` on what proxy-wasm.json is to hold. */
  async run(content: object, target: string, ...args: string[]): Promise<CommandResult> {
    this.put("proxy-wasm.json", JSON.stringify(content));
    return command(["manifest", target, "--file", this.file, ...args]);
  }

  /** What `manifest` writes. */
  async manifest(content: object, target: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(content, target, ...args);
    if (code !== 0 || stderr) throw new Error(`manifest ended with ${code}: ${stderr}`);
    return stdout;
  }

  /** What `manifest` has against it; the folder's name is left out. */
  async refusal(content: object, target: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(content, target, ...args);
    if (code !== 1 || stdout) throw new Error(`manifest ended with ${code}: ${stdout}`);
    return stderr.replaceAll(`${this.folder}/`, "");
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
