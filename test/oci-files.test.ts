// Pipes, devices and folders in place of files, and places where nothing can be written: the commands end with a sentence.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { readLimited } from "../src/oci/files.ts";
import { command } from "./support/command.ts";
import { anyImages, smallModule, writeImage } from "./support/images.ts";
import { filterModule, ManifestProject, plain } from "./support/manifests.ts";

let folder: string;
let module: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "proxy-wasm-files-"));
  module = join(folder, "release.wasm");
  writeFileSync(module, smallModule);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A pipe that nobody writes to. */
function pipe(name: string): string {
  const path = join(folder, name);
  execFileSync("mkfifo", [path]);
  return path;
}

describe.skipIf(process.platform === "win32")("what is no file", () => {
  test("is no image, whether named or behind a link in a layout", async () => {
    const layout = writeImage(join(folder, "linked"), anyImages["oci"]!);
    rmSync(join(layout, "index.json"));
    symlinkSync(pipe("index"), join(layout, "index.json"));
    const device = writeImage(join(folder, "device"), anyImages["oci"]!);
    rmSync(join(device, "oci-layout"));
    symlinkSync("/dev/zero", join(device, "oci-layout"));
    for (const path of [pipe("image"), "/dev/zero", layout, device]) {
      for (const args of [
        ["verify", path],
        ["pull", path, "-o", join(folder, "pulled.wasm")],
        ["push", "localhost:9/acme/f:1", "--image", path],
      ]) {
        const { code, stderr } = await command(args);
        expect(stderr).toMatch(/^error: cannot read \S+: it is a pipe or device, no file\n$/);
        expect(code).toBe(1);
      }
    }
  });

  test("is no part of a manifest", async () => {
    const project = new ManifestProject();
    const { image: _image, ...bare } = plain;
    const refusal = /^error: (the digest .*)?cannot read \S+: it is a (pipe or device|folder), no file/;
    expect((await command(["manifest", "istio", "--file", pipe("proxy-wasm.json")])).stderr).toMatch(refusal);
    expect(await project.refusal({ ...plain, configurationSchema: "build" }, "istio")).toMatch(refusal);
    rmSync(project.path("build/release.wasm"));
    symlinkSync(pipe("module"), project.path("build/release.wasm"));
    expect(await project.refusal(plain, "istio")).toMatch(refusal);
    expect(await project.refusal({ ...bare, url: "https://example.com/f.wasm" }, "istio")).toMatch(refusal);
    expect(await project.refusal({ ...plain, image: "ghcr.io/acme/f:1" }, "istio", "--image", "/dev/zero")).toMatch(
      refusal,
    );
    project.remove();
  });

  test("is read no further than to its limit when it says that it is empty", async () => {
    await expect(readLimited("/proc/self/status", 100)).rejects.toThrow(/has more bytes; at most 100 were expected/);
    const whole = await readLimited("/proc/self/status", 1 << 20);
    expect(new TextDecoder().decode(whole)).toMatch(/^Name:[^]+\n$/);
  });
});

test("a folder in place of a file is named", async () => {
  const layout = writeImage(join(folder, "folders"), anyImages["oci"]!);
  rmSync(join(layout, "index.json"));
  mkdirSync(join(layout, "index.json"));
  expect((await command(["verify", layout])).stderr).toMatch(
    /^error: cannot read .*index\.json: it is a folder, no file\n$/,
  );
  const packaged = join(folder, "packaged");
  await command(["package", module, "--out", packaged, "--quiet"]);
  rmSync(`${packaged}.sbom.json`);
  mkdirSync(`${packaged}.sbom.json`);
  expect((await command(["push", "localhost:9/acme/f:1", "--image", packaged])).stderr).toMatch(
    /^error: cannot read .*packaged\.sbom\.json: it is a folder, no file\n$/,
  );
});

describe("a place where nothing can be written", () => {
  test.skipIf(process.platform !== "linux")("is named", async () => {
    const project = new ManifestProject();
    project.put("proxy-wasm.json", JSON.stringify(plain));
    const layout = writeImage(join(folder, "pull"), anyImages["oci"]!);
    for (const args of [
      ["package", module, "--out", "/proc/x/y"],
      ["pull", layout, "--output", "/proc/x/y/z.wasm"],
      ["manifest", "istio", "--file", project.file, "--out", "/proc/x/y.yaml"],
    ]) {
      expect(await command(args)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^error: cannot write \/proc\/x\/y\S*: ENOENT[^\n]*\n$/),
      });
    }
    project.remove();
  });

  test("is one without a name", async () => {
    for (const out of ["", "/", "//"]) {
      expect(await command(["package", module, "--out", out])).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^error: --out names no folder to make: "\/*"\n$/),
      });
    }
    const layout = writeImage(join(folder, "unnamed"), anyImages["oci"]!);
    expect(await command(["pull", layout, "--output", ""])).toMatchObject({
      code: 2,
      stderr: "error: --output names no file\n",
    });
  });

  test("is made with the folders around it otherwise", async () => {
    const project = new ManifestProject();
    project.put("other.wasm", filterModule);
    expect((await command(["package", project.path("other.wasm"), "--out", project.path("a/b/image")])).code).toBe(0);
    expect(readdirSync(project.path("a/b"))).toContain("image.tar");
    project.remove();
  });
});
