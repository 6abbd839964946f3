// `proxy-wasm verify` and `pull` on layouts of every form. That Istio's own fetcher says the same, word for word, is
// tested in test/full/istio-fetch.test.ts.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type Descriptor, describe as describeBytes, digestOf, mediaTypes } from "../src/oci/descriptor.ts";
import { writeTar } from "../src/oci/tar.ts";
import { command } from "./support/command.ts";
import { filterWat, hostCall } from "./support/compile.ts";
import { anyImages, archive, assembleAny, smallModule, writeAnyLayout, writeImage } from "./support/images.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "proxy-wasm-verify-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Report {
  manifestDigest: string;
  indexDigest?: string;
  verdicts: { consumer: string; loads: boolean; error?: string }[];
}

async function verify(...args: string[]): Promise<{ code: number; stderr: string; report: Report }> {
  const { code, stdout, stderr } = await command(["verify", ...args, "--json"]);
  return { code, stderr, report: stdout ? (JSON.parse(stdout) as Report) : { manifestDigest: "", verdicts: [] } };
}

/** Why consumers refuse an image as `docker`, or in both of the OCI's forms; those that are not here are loaded. */
const refusals: Readonly<Record<string, string | [compat: string, artifact: string]>> = {
  "docker-first-layer": "could not extract wasm binary: plugin.wasm not found in the archive",
  "docker-oci-layer":
    "invalid media type application/vnd.oci.image.layer.v1.tar+gzip (expect application/vnd.docker.image.rootfs.diff.tar.gzip)",
  "docker-no-layers": "number of layers must be greater than zero",
  "oci-wrong-name": [
    "could not extract wasm binary: plugin.wasm not found in the archive",
    "number of layers must be 2 but got 1",
  ],
  "oci-not-last": [
    "could not extract wasm binary: plugin.wasm not found in the archive",
    "could not find the layer of type application/vnd.module.wasm.content.layer.v1+wasm",
  ],
  "oci-no-layers": ["number of layers must be greater than zero", "number of layers must be 2 but got 0"],
  "oci-plain-tar": [
    "invalid media type application/vnd.oci.image.layer.v1.tar (expect application/vnd.oci.image.layer.v1.tar+gzip)",
    "number of layers must be 2 but got 1",
  ],
  "oci-not-gzipped": [
    "could not extract wasm binary: failed to parse layer as tar.gz: gzip: invalid header",
    "number of layers must be 2 but got 1",
  ],
  "oci-empty-layer": [
    "could not extract wasm binary: failed to parse layer as tar.gz: EOF",
    "number of layers must be 2 but got 1",
  ],
  "oci-damaged-gzip": ["could not extract wasm binary: unexpected EOF", "number of layers must be 2 but got 1"],
  "oci-no-tar": [
    "could not extract wasm binary: archive/tar: invalid tar header",
    "number of layers must be 2 but got 1",
  ],
  "oci-cut-tar": [
    "could not extract wasm binary: failed to read plugin.wasm: unexpected EOF",
    "number of layers must be 2 but got 1",
  ],
  "oci-zstd": [
    "invalid media type application/vnd.oci.image.layer.v1.tar+zstd (expect application/vnd.oci.image.layer.v1.tar+gzip)",
    "number of layers must be 2 but got 1",
  ],
  "artifact-one-layer": [
    "invalid media type application/vnd.module.wasm.content.layer.v1+wasm (expect application/vnd.oci.image.layer.v1.tar+gzip)",
    "number of layers must be 2 but got 1",
  ],
  "artifact-three-layers": [
    "invalid media type application/vnd.module.wasm.content.layer.v1+wasm (expect application/vnd.oci.image.layer.v1.tar+gzip)",
    "number of layers must be 2 but got 3",
  ],
  "artifact-two-configs": [
    "invalid media type x/y (expect application/vnd.oci.image.layer.v1.tar+gzip)",
    "could not find the layer of type application/vnd.module.wasm.content.layer.v1+wasm",
  ],
  cncf: [
    "invalid media type application/wasm (expect application/vnd.oci.image.layer.v1.tar+gzip)",
    "number of layers must be 2 but got 1",
  ],
  "wasm-to-oci": [
    "invalid media type application/vnd.wasm.content.layer.v1+wasm (expect application/vnd.oci.image.layer.v1.tar+gzip)",
    "number of layers must be 2 but got 1",
  ],
};

/** Found, and no module. */
const invalid = new Set(["oci-not-wasm", "oci-short", "artifact-gzipped"]);

describe("verify", () => {
  test.each(Object.entries(anyImages))("judges the image %s", async (name, image) => {
    const path = writeImage(join(folder, name), image);
    const { code, report } = await verify(path);
    const errors = report.verdicts.map(({ error }) => error);
    const refusal = refusals[name];
    if (invalid.has(name))
      expect(new Set(errors)).toEqual(new Set([`fetched Wasm binary from oci://${path} is invalid`]));
    else if (refusal === undefined) expect(errors).toEqual([undefined, undefined, undefined]);
    else if (typeof refusal === "string") {
      const start = "could not fetch Wasm binary: could not extract Wasm file from the image as Docker container ";
      expect(new Set(errors)).toEqual(new Set([start + refusal]));
    } else {
      const start = "could not fetch Wasm binary: the given image is in invalid format as an OCI image: ";
      const compat = `could not parse as compat variant: ${refusal[0]}`;
      const artifact = `could not parse as oci variant: ${refusal[1]}`;
      const multierror = `${start}2 errors occurred:\n\t* ${compat}\n\t* ${artifact}\n\n`;
      expect(errors).toEqual([multierror, `${start}${compat}\n${artifact}`, multierror]);
    }
    expect(code).toBe(errors[0] === undefined ? 0 : 1);
  });

  test("follows an index to its child for linux/amd64, whose digest is the one to pin", async () => {
    const { path, child, index } = writeIndex("index", { architecture: "amd64", os: "linux" });
    const { code, report } = await verify(path);
    expect(code).toBe(0);
    expect(report).toMatchObject({ manifestDigest: child.digest, indexDigest: index.digest });
    expect(await verify(path, "--sha256", child.digest)).toMatchObject({ code: 0 });
    const pinned = await verify(path, "--sha256", index.digest);
    expect(pinned.code).toBe(1);
    expect(pinned.report.verdicts[0]!.error).toBe(
      `module downloaded from oci://${path} has checksum ${child.digest.slice(7)}, which does not match: ${index.digest.slice(7)}`,
    );
    expect(pinned.stderr).toContain(`; pin ${child.digest}\n`);
  });

  test("takes a child without a platform, and finds none for another one", async () => {
    expect((await verify(writeIndex("no-platform", undefined).path)).code).toBe(0);
    const { path } = writeIndex("arm64", { architecture: "arm64", os: "linux" });
    expect((await verify(path)).report.verdicts[2]!.error).toBe(
      `could not fetch Wasm OCI image: could not fetch image: no child with platform linux/amd64 in index ${path}`,
    );
    expect((await verify(path)).report.manifestDigest).toBeUndefined();
    const { stdout } = await command(["verify", path, "--for", "istio"]);
    expect(stdout).toMatch(/^index {10}sha256:\w{64}, which cannot be pinned\nIstio {10}refuses it: [^\n]*\n$/);
  });

  test("tells the module's digest from the manifest's", async () => {
    const path = writeImage(join(folder, "pinned"), anyImages["oci"]!);
    const { code, stderr } = await verify(path, "--sha256", digestOf(smallModule));
    expect(code).toBe(1);
    expect(stderr).toMatch(/ is the module's own digest: with oci:\/\/ sha256 is the manifest's, sha256:/);
  });

  test("prints verdicts for people, and looks at one consumer when told to", async () => {
    const good = await command(["verify", writeImage(join(folder, "good"), anyImages["oci"]!)]);
    expect(good.stdout).toMatch(
      /^manifest {7}sha256:\w{64}\nmodule {9}\w{64}, 87 bytes\nIstio {10}loads it\nEnvoy Gateway {2}loads it\nHigress {8}loads it\n$/,
    );
    const path = writeImage(join(folder, "bad"), anyImages["cncf"]!);
    const bad = await command(["verify", path, "--for", "istio"]);
    expect(bad.stdout).toMatch(
      /^manifest .*\nIstio {10}refuses it: could not fetch Wasm binary: [^]*must be 2 but got 1\n$/,
    );
    expect(bad.stderr).toBe(`error: ${path} would not load in Istio; an image that proxy-wasm package makes would\n`);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["nothing but its magic", smallModule.slice(0, 8), /it exports none of .*proxy_abi_version_0_2_1/],
    [
      "garbage behind its magic",
      Buffer.concat([smallModule.subarray(0, 8), Buffer.from("garbage")]),
      /the module of .* is no valid WebAssembly module/,
    ],
    ["an import that no proxy has", filterWat({ imports: hostCall("nothing", 1) }), /env\.proxy_nothing .* is missing/],
  ])("says that Envoy refuses a module with %s, which is not pushed", async (what, module, why) => {
    const path = writeImage(join(folder, what), { layers: [[mediaTypes.layer, archive(["plugin.wasm", module])]] });
    const { code, stdout, stderr } = await command(["verify", path]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^Istio {10}fetches it, Envoy refuses it: (.*)\nEnvoy Gateway {2}fetches it.*\nHigress {8}fet/m,
    );
    expect(stdout).toMatch(why);
    expect(stderr).toMatch(/would not load in Istio, Envoy Gateway, Higress; the image is as it should be, the module/);
    const { report } = await verify(path, "--for", "istio");
    expect(report.verdicts).toEqual([{ consumer: "Istio", loads: false, moduleError: expect.stringMatching(why) }]);
    const pushed = await command(["push", "localhost:9/acme/f:1", "--image", path]);
    expect(pushed.code).toBe(1);
    expect(pushed.stderr).toMatch(
      /^error: .* is not pushed: Istio would fetch it, and Envoy would refuse it: [^\n]*\n$/,
    );
    expect(pushed.stderr).toMatch(why);
  });

  test("opens a file that grows without end no further than consumers do", async () => {
    const header = writeTar([{ name: "other", bytes: new Uint8Array() }]).subarray(0, 512);
    const bomb = gzipSync(Buffer.concat([header, Buffer.alloc(300 << 20)]), { level: 1 });
    const path = writeImage(join(folder, "bomb"), { layers: [[mediaTypes.layer, bomb]] });
    const { report } = await verify(path);
    expect(report.verdicts[0]!.loads).toBe(false);
  });

  test.each([
    ["a folder that is not there", () => join(folder, "nowhere"), /there is no file or folder .*nowhere/],
    ["a folder without a layout", () => folder, /is no OCI image layout: it has no file oci-layout/],
    ["a module", () => file("plain.wasm", smallModule), /is a module and no image; proxy-wasm package makes one of it/],
    ["an empty index", () => writeAnyLayout(join(folder, "empty"), [], []), /index\.json lists no image/],
    [
      "two images",
      () => writeAnyLayout(join(folder, "two"), [], [describeBytes("a", smallModule), describeBytes("b", smallModule)]),
      /index\.json lists 2 images/,
    ],
    [
      "a missing blob",
      () => writeAnyLayout(join(folder, "gone"), [], [describeBytes("a", smallModule)]),
      /has no file blobs\/sha256\/\w+, which its manifest points to/,
    ],
    ["another digest", () => damaged("damaged"), /what should be sha256:\w+ has the digest sha256:\w+/],
    [
      "a digest that leaves the folder",
      () =>
        writeAnyLayout(
          join(folder, "escape"),
          [],
          [{ ...describeBytes("a", smallModule), digest: "sha256:../../../etc/passwd" }],
        ),
      /index\.json has no sha256 digest/,
    ],
    [
      "an index that is none",
      () => {
        const path = writeImage(join(folder, "html"), anyImages["oci"]!);
        writeFileSync(join(path, "index.json"), "<html>");
        return path;
      },
      /index\.json should be a JSON object; it is HTML/,
    ],
  ])("refuses %s", async (_what, path, message) => {
    const { code, stderr } = await command(["verify", path()]);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^error: [^\n]+\n$/);
    expect(code).toBe(1);
  });

  test("says that layers are missing in a manifest that is none", async () => {
    const manifest = new TextEncoder().encode('{"schemaVersion":2}');
    const path = writeAnyLayout(join(folder, "none"), [manifest], [describeBytes(mediaTypes.manifest, manifest)]);
    expect((await verify(path)).report.verdicts[0]!.error).toBe(
      "could not fetch Wasm binary: could not retrieve manifest: the manifest has no list of layers, each with media type, digest and size",
    );
  });
});

describe("pull", () => {
  test("gets the module out of each form that loads", async () => {
    for (const name of ["docker", "oci-folder", "artifact-wasm-first"]) {
      const output = join(folder, `${name}.wasm`);
      const { code, stdout } = await command([
        "pull",
        writeImage(join(folder, `pull-${name}`), anyImages[name]!),
        "--output",
        output,
      ]);
      expect(code).toBe(0);
      expect(stdout).toContain(`${output}  ${digestOf(smallModule).slice(7)}, 87 bytes, from sha256:`);
      expect(Buffer.compare(readFileSync(output), smallModule)).toBe(0);
    }
  });

  test("replaces no file without --force, and leaves none when it fails", async () => {
    const path = writeImage(join(folder, "pull-again"), anyImages["oci"]!);
    const output = file("there.wasm", Uint8Array.of(1));
    expect(await command(["pull", path, "-o", output])).toMatchObject({
      code: 1,
      stderr: `error: ${output} exists; --force replaces it, --output names another file\n`,
    });
    expect(readFileSync(output)).toHaveLength(1);
    expect((await command(["pull", path, "-o", output, "--force"])).code).toBe(0);
    expect(readFileSync(output)).toHaveLength(87);
    const missing = join(folder, "no-module.wasm");
    const refused = await command(["pull", writeImage(join(folder, "pull-cncf"), anyImages["cncf"]!), "-o", missing]);
    const why =
      "holds no filter that a proxy would find: could not fetch Wasm binary: [^\n]* 2 errors occurred: [*] [^\n]*";
    expect(refused.stderr).toMatch(
      new RegExp(`^error: \\S* ${why}; an image that proxy-wasm package makes of the module does\n$`),
    );
    const pushed = await command(["push", "localhost:9/acme/f:1", "--image", join(folder, "pull-cncf")]);
    expect(pushed.stderr).toMatch(new RegExp(`^error: \\S* ${why}; proxy-wasm package makes an image that loads\n$`));
    expect((await command(["pull", path, "-o", join(output, "folder.wasm")])).stderr).toMatch(/^error: cannot write /);
    expect(existsSync(missing)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

function writeIndex(
  name: string,
  platform: Descriptor["platform"],
): { path: string; child: Descriptor; index: Descriptor } {
  const { manifest, blobs } = assembleAny(anyImages["oci"]!);
  const child = describeBytes(mediaTypes.manifest, manifest);
  const bytes = new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [{ ...child, platform }] }),
  );
  const index = describeBytes(mediaTypes.index, bytes);
  return { path: writeAnyLayout(join(folder, name), [manifest, bytes, ...blobs], [index]), child, index };
}

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** A layout whose manifest has one other byte. */
function damaged(name: string): string {
  const path = writeImage(join(folder, name), anyImages["oci"]!);
  const { manifest } = assembleAny(anyImages["oci"]!);
  const changed = Uint8Array.from(manifest, (byte, i) => (i === manifest.length - 1 ? 0x20 : byte));
  writeFileSync(join(path, "blobs", digestOf(manifest).replace(":", "/")), changed);
  return path;
}
