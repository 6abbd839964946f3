// `proxy-wasm package`: the same image everywhere, with what the project says of itself, written whole or not at all.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { describe as describeBytes } from "../src/oci/descriptor.ts";
import { gzip } from "../src/oci/gzip.ts";
import { readTar, writeTar } from "../src/oci/tar.ts";
import { command } from "./support/command.ts";
import { filterWat } from "./support/compile.ts";
import { anyImages, assembleAny, smallModule, writeAnyLayout } from "./support/images.ts";

let folder: string;
let image: string;
let module: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "proxy-wasm-package-"));
  image = join(folder, "build/image");
  module = join(folder, "build/release.wasm");
  mkdirSync(join(folder, "build"));
  writeFileSync(module, smallModule);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "my-filter", version: "1.2.3" }));
  vi.stubEnv("SOURCE_DATE_EPOCH", "1700000000");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const json = (...path: string[]): any => JSON.parse(readFileSync(join(...path), "utf8")); // eslint-disable-line typescript/no-explicit-any

/** The manifest, the configuration and the layers of the layout on disk. */
function readImage(at = image) {
  const blob = (digest: string): Buffer => readFileSync(join(at, "blobs", digest.replace(":", "/")));
  const [descriptor] = json(at, "index.json").manifests;
  const manifest = JSON.parse(blob(descriptor.digest).toString());
  const layers = manifest.layers.map((layer: { digest: string }) => blob(layer.digest));
  return { descriptor, manifest, config: JSON.parse(blob(manifest.config.digest).toString()), layers };
}

async function packageIt(...args: string[]) {
  return command(["package", module, "--out", image, ...args]);
}

describe("package", () => {
  test("has the same digest on every platform and with every Node", async () => {
    expect(await packageIt()).toMatchObject({ code: 0, stderr: "" });
    expect(readImage().descriptor.digest).toBe(
      "sha256:80e58662879c59fb281d2b8722985a496f73e9277dd151b7b8482ac4d10a0e95",
    );
    await packageIt("--layout", "artifact");
    expect(readImage().descriptor.digest).toBe(
      "sha256:99d3a30d687f4f1087c64259086907bc29bb1f5d263ce9644c058ea0f3e6ea9b",
    );
  });

  test("has one gzipped layer with exactly plugin.wasm, and a configuration that fits it", async () => {
    await packageIt();
    const { manifest, config, layers } = readImage();
    expect(manifest.mediaType).toBe("application/vnd.oci.image.manifest.v1+json");
    expect(manifest.layers).toMatchObject([{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip" }]);
    const tar = gunzipSync(layers[0]);
    expect([...readTar(tar)]).toMatchObject([{ name: "plugin.wasm", size: smallModule.length }]);
    expect(Buffer.compare([...readTar(tar)][0]!.bytes, smallModule)).toBe(0);
    const sha256 = execFileSync("sha256sum", { input: tar, encoding: "utf8" }).slice(0, 64);
    expect(config).toMatchObject({
      created: "2023-11-14T22:13:20Z",
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256}`] },
    });
  });

  test("has two raw layers for those who want them", async () => {
    await packageIt("--layout", "artifact");
    const { manifest, layers } = readImage();
    expect(manifest.layers.map(({ mediaType }: { mediaType: string }) => mediaType)).toEqual([
      "application/vnd.module.wasm.config.v1+json",
      "application/vnd.module.wasm.content.layer.v1+wasm",
    ]);
    expect(JSON.parse(layers[0].toString())).toMatchObject({ type: "envoy_proxy", abiVersions: ["v0-2-1"] });
    expect(Buffer.compare(layers[1], smallModule)).toBe(0);
  });

  test("prints which digest is for what", async () => {
    const { stdout } = await packageIt();
    const { descriptor } = readImage();
    const sha256 = execFileSync("sha256sum", [module], { encoding: "utf8" }).slice(0, 64);
    expect(stdout).toContain(`manifest  ${descriptor.digest}\n          for oci://`);
    expect(stdout).toContain(`module    ${sha256}, 87 bytes\n          for http://`);
    const report = JSON.parse((await packageIt("--json")).stdout);
    expect(report).toMatchObject({ layout: image, manifestDigest: descriptor.digest, moduleSha256: sha256 });
  });

  test("puts the same image into a tar file", async () => {
    await packageIt();
    const entries = [...readTar(readFileSync(`${image}.tar`))];
    expect(entries.slice(0, 2).map(({ name }) => name)).toEqual(["oci-layout", "index.json"]);
    for (const { name, bytes } of entries) expect(Buffer.compare(readFileSync(join(image, name)), bytes)).toBe(0);
    expect(entries).toHaveLength(5);
  });

  test("takes annotations from package.json and from git, without the login in a remote's address", async () => {
    const git = (...args: string[]): string =>
      execFileSync("git", ["-c", "user.name=A", "-c", "user.email=a@example.com", ...args], {
        cwd: folder,
        encoding: "utf8",
        env: { ...process.env, GIT_COMMITTER_DATE: "1600000000 +0000" },
      }).trim();
    const packageJson = { name: "@acme/my-filter", version: "1.2.3", license: "MIT", description: "Adds a header" };
    writeFileSync(join(folder, "package.json"), JSON.stringify({ ...packageJson, author: "Acme <acme@example.com>" }));
    git("init", "--quiet");
    git("add", "package.json");
    git("commit", "--quiet", "--message", "Begin");
    git("remote", "add", "origin", "https://me:hunter2@example.com/acme/my-filter.git");
    vi.stubEnv("SOURCE_DATE_EPOCH", undefined);
    await packageIt();
    expect(readImage().manifest.annotations).toMatchObject({
      "org.opencontainers.image.title": "@acme/my-filter",
      "org.opencontainers.image.version": "1.2.3",
      "org.opencontainers.image.licenses": "MIT",
      "org.opencontainers.image.description": "Adds a header",
      "org.opencontainers.image.authors": "Acme <acme@example.com>",
      "org.opencontainers.image.source": "https://example.com/acme/my-filter",
      "org.opencontainers.image.revision": git("rev-parse", "HEAD"),
      "org.opencontainers.image.created": "2020-09-13T12:26:40Z",
      "proxy-wasm.module.size": "87",
    });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ ...packageJson, description: "Something else" }));
    await packageIt();
    const { "org.opencontainers.image.revision": revision } = readImage().manifest.annotations;
    expect(revision).toBe(`${git("rev-parse", "HEAD")}-dirty`);
    expect(readFileSync(`${image}.provenance.json`, "utf8")).not.toContain("hunter2");
  });

  test.each([
    ["../upstream-repo", undefined],
    ["acme/my-filter", undefined],
    ["/srv/git/my-filter.git", undefined],
    ["file:///srv/git/my-filter.git", undefined],
    ["C:\\git\\my-filter", undefined],
    ["git@example.com:acme/my-filter.git", "https://example.com/acme/my-filter"],
    ["ssh://git@example.com:2222/acme/my-filter.git", "https://example.com/acme/my-filter"],
    ["https://example.com/acme/my-filter", "https://example.com/acme/my-filter"],
  ])("reads the remote %s as %s", async (remote, source) => {
    for (const args of [
      ["init", "--quiet"],
      ["remote", "add", "origin", remote],
    ])
      execFileSync("git", args, { cwd: folder });
    await packageIt();
    expect(readImage().manifest.annotations["org.opencontainers.image.source"]).toBe(source);
  });

  test.each([
    ["../my-filter", undefined],
    ["github:acme/..", undefined],
    ["gist:11081aaa281", undefined],
    ["acme/my-filter", "https://github.com/acme/my-filter"],
    ["gitlab:acme/my-filter", "https://gitlab.com/acme/my-filter"],
    ["git+https://github.com/acme/my-filter.git", "https://github.com/acme/my-filter"],
    ["git@example.com:acme/my-filter.git", "https://example.com/acme/my-filter"],
    ["ssh://git@example.com/acme/my-filter.git", "https://example.com/acme/my-filter"],
    ["a folder", undefined],
  ])("reads the repository %s as %s", async (repository, source) => {
    writeFileSync(join(folder, "package.json"), JSON.stringify({ repository: { url: repository } }));
    await packageIt();
    expect(readImage().manifest.annotations["org.opencontainers.image.source"]).toBe(source);
  });

  test("writes what the image is made of and where it comes from", async () => {
    const dependency = join(folder, "node_modules/a-library");
    mkdirSync(dependency, { recursive: true });
    writeFileSync(join(dependency, "package.json"), '{"version":"4.5.6"}');
    writeFileSync(join(folder, "package.json"), '{"name":"@acme/my-filter","dependencies":{"a-library":"^4"}}');
    vi.stubEnv("GITHUB_ACTIONS", "true");
    vi.stubEnv("GITHUB_SERVER_URL", "https://github.example");
    vi.stubEnv("GITHUB_REPOSITORY", "acme/my-filter");
    vi.stubEnv("GITHUB_RUN_ID", "7");
    vi.stubEnv("GITHUB_RUN_ATTEMPT", "2");
    vi.stubEnv("GITHUB_WORKFLOW_REF", "acme/my-filter/.github/workflows/push.yml@refs/tags/v1");
    // What asc writes: language, processed-by and sdk.
    const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
    const fields: [string, string, string][] = [
      ["language", "AssemblyScript", ""],
      ["processed-by", "asc", "0.28.20"],
      ["sdk", "proxy-wasm", "0.1.0"],
    ];
    const section = [
      ...text("producers"),
      3,
      ...fields.flatMap(([a, b, c]) => [text(a), [1], text(b), text(c)].flat()),
    ];
    writeFileSync(module, Uint8Array.from([...smallModule, 0, section.length, ...section]));
    await packageIt();
    const sbom = json(`${image}.sbom.json`);
    expect(sbom).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6" });
    expect(sbom.metadata.component).toMatchObject({
      purl: "pkg:npm/%40acme/my-filter",
      hashes: [{ alg: "SHA-256", content: readImage().manifest.annotations["proxy-wasm.module.sha256"] }],
    });
    expect(sbom.components.map(({ purl }: { purl: string }) => purl)).toEqual([
      "pkg:npm/a-library@4.5.6",
      "pkg:npm/assemblyscript@0.28.20",
      "pkg:npm/proxy-wasm@0.1.0",
    ]);
    const { subject, predicate } = json(`${image}.provenance.json`);
    expect(subject).toEqual([
      { name: "@acme/my-filter", digest: { sha256: readImage().descriptor.digest.replace("sha256:", "") } },
    ]);
    expect(predicate.runDetails).toEqual({
      builder: { id: "https://github.example/acme/my-filter/.github/workflows/push.yml@refs/tags/v1" },
      metadata: { invocationId: "https://github.example/acme/my-filter/actions/runs/7/attempts/2" },
    });
  });

  test("replaces what it wrote, and nothing else without --force", async () => {
    await packageIt();
    writeFileSync(join(folder, "package.json"), '{"name":"another"}');
    expect(await packageIt()).toMatchObject({ code: 0 });
    expect(readImage().manifest.annotations["org.opencontainers.image.title"]).toBe("another");
    rmSync(image, { recursive: true });
    mkdirSync(image);
    writeFileSync(join(image, "precious"), "");
    for (const args of [[], ["--force"]]) {
      expect(await packageIt(...args)).toMatchObject({
        code: 1,
        stderr: `error: ${image} is a folder with other things in it; choose another with --out\n`,
      });
    }
    expect(readdirSync(image)).toEqual(["precious"]);
    rmSync(image, { recursive: true });
    expect(await packageIt()).toMatchObject({
      code: 1,
      stderr: `error: ${image}.tar exists and is not of an earlier package; --force replaces it\n`,
    });
    expect(await packageIt("--force")).toMatchObject({ code: 0 });
    expect(readdirSync(image)).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  test.each([
    ["another tool's image", 1],
    ["two images", 2],
    ["no image", 0],
  ])("replaces a layout with %s with --force only", async (_what, count) => {
    const { manifest, blobs } = assembleAny(anyImages["oci"]!);
    const descriptor = describeBytes("application/vnd.oci.image.manifest.v1+json", manifest);
    writeAnyLayout(
      image,
      [manifest, ...blobs],
      Array.from({ length: count }, () => descriptor),
    );
    expect(await packageIt()).toMatchObject({
      code: 1,
      stderr: `error: ${image} exists and is not of an earlier package; --force replaces it\n`,
    });
    expect(json(image, "index.json").manifests).toHaveLength(count);
    expect(readdirSync(join(folder, "build"))).toEqual(["image", "release.wasm"]);
    expect(await packageIt("--force")).toMatchObject({ code: 0 });
    expect(await packageIt()).toMatchObject({ code: 0 });
    expect(readdirSync(join(image, "blobs/sha256"))).toHaveLength(3);
  });

  test("puts the earlier package back when it cannot put all of the new one there", async () => {
    await packageIt();
    const files = ["image.tar", "image.sbom.json", "image.provenance.json"].map((name) => join(folder, "build", name));
    const before = [readImage().descriptor, ...files.map((file) => readFileSync(file, "utf8"))];
    writeFileSync(join(folder, "package.json"), '{"name":"another"}');
    const { rename } = promises;
    promises.rename = async (from, to) => {
      const isNew = String(from).endsWith(".tmp") && String(to).endsWith("image.provenance.json");
      return isNew ? Promise.reject(new Error("disk is full")) : rename(from, to);
    };
    syncBuiltinESMExports();
    try {
      const { code, stderr } = await packageIt();
      expect({ code, stderr }).toEqual({ code: 1, stderr: `error: cannot write ${image}: disk is full\n` });
    } finally {
      promises.rename = rename;
      syncBuiltinESMExports();
    }
    expect([readImage().descriptor, ...files.map((file) => readFileSync(file, "utf8"))]).toEqual(before);
    expect(readdirSync(join(folder, "build"))).toHaveLength(5);
  });

  test("leaves nothing behind when it cannot write", async () => {
    writeFileSync(join(folder, "file"), "");
    const { code, stderr } = await command(["package", module, "--out", join(folder, "file/image")]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: cannot write .*file\/image: /);
    mkdirSync(join(folder, "taken.tar/x"), { recursive: true });
    const refused = await command(["package", module, "--out", join(folder, "taken"), "--force"]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/taken\.tar is a folder; choose another/) });
    expect(existsSync(join(folder, "taken"))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test.each([
    ["a file that is not there", () => join(folder, "no.wasm"), /error: cannot read .*no\.wasm: there is no such file/],
    ["what is no module", () => join(folder, "package.json"), /error: .*package\.json is no WebAssembly module/],
    [
      "what is no filter",
      () => join(folder, "plain.wasm"),
      /error: .*plain\.wasm would be refused by Istio .*: it exports none of proxy_abi_version/,
    ],
  ])("refuses %s", async (_what, file, message) => {
    writeFileSync(join(folder, "plain.wasm"), Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const { code, stderr } = await command(["package", file(), "--out", image]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(existsSync(image)).toBe(false);
  });

  test("warns of a module that some would refuse", async () => {
    const imports = '(import "wasi_snapshot_preview1" "fd_filestat_get" (func (param i32 i32) (result i32)))';
    writeFileSync(module, filterWat({ imports }));
    const { code, stderr } = await packageIt();
    expect(stderr).toMatch(/^warning: .*release\.wasm would be refused by Istio .*fd_filestat_get/);
    expect(code).toBe(0);
  });

  test("refuses a time that is none, and a package.json that is none", async () => {
    vi.stubEnv("SOURCE_DATE_EPOCH", "yesterday");
    expect((await packageIt()).stderr).toMatch(/^error: SOURCE_DATE_EPOCH is "yesterday"; seconds since 1970 were/);
    writeFileSync(join(folder, "package.json"), "{");
    expect((await packageIt()).stderr).toMatch(/^error: .*package\.json:1:2 is no JSON: it ends too early$/m);
    writeFileSync(join(folder, "package.json"), "[]");
    expect((await packageIt()).stderr).toMatch(/^error: .*package\.json should be a JSON object$/m);
  });
});

describe("archives", () => {
  test("have blocks that any gzip unpacks, also over 64 KiB and empty", () => {
    for (const length of [0, 1, 65_535, 65_536, 200_000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 7);
      expect(Buffer.compare(gunzipSync(gzip(bytes)), bytes)).toBe(0);
    }
  });

  test("are read by tar, and read what tar writes", () => {
    writeFileSync(
      join(folder, "a.tar"),
      writeTar([
        { name: "one", bytes: smallModule },
        { name: "two", bytes: new Uint8Array(1024) },
      ]),
    );
    const listed = execFileSync("tar", ["tvf", "a.tar"], { cwd: folder, encoding: "utf8" });
    expect(listed).toMatch(/^-rw-r--r-- 0\/0 +87 1970-01-01 .* one\n-rw-r--r-- 0\/0 +1024 1970-01-01 .* two\n$/);
    const long = `${"folder/".repeat(30)}plugin.wasm`;
    mkdirSync(join(folder, "folder/".repeat(30)), { recursive: true });
    cpSync(module, join(folder, long));
    for (const format of ["gnu", "pax", "ustar"]) {
      execFileSync("tar", ["cf", "b.tar", `--format=${format}`, long.slice(format === "ustar" ? 70 : 0)], {
        cwd: join(folder, format === "ustar" ? "folder/".repeat(10) : ""),
      });
      const path = join(folder, format === "ustar" ? `${"folder/".repeat(10)}b.tar` : "b.tar");
      const [entry] = readTar(readFileSync(path));
      expect(entry!.name).toBe(long.slice(format === "ustar" ? 70 : 0));
      expect(Buffer.compare(entry!.bytes, smallModule)).toBe(0);
    }
  });
});

test.each(["package", "push", "verify", "pull"])("%s has a help text", async (name) => {
  const { code, stdout } = await command([name, "--help"]);
  expect(code).toBe(0);
  await expect(stdout).toMatchFileSnapshot(`cli/${name}.help.txt`);
});
