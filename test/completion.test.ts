// `proxy-wasm completion` in the shells themselves: bash is everywhere, zsh and fish where they are installed.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { command } from "./support/command.ts";

const helpTexts = resolve(import.meta.dirname, "cli");
const shells = ["bash", "zsh", "fish"] as const;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "proxy-wasm-completion-"));
  for (const shell of shells) {
    await writeFile(join(folder, `proxy-wasm.${shell}`), (await command(["completion", shell])).stdout);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (file: string, ...args: string[]): string =>
  execFileSync(file, args, { cwd: folder, encoding: "utf8", env: { ...process.env, HOME: folder }, timeout: 20_000 });
const isThere = (file: string): boolean => spawnSync(file, ["--version"]).status === 0;

/** What bash offers for the last of each of these lines' words, which it separates as it does on the command line. */
function bash(...lines: readonly (readonly string[])[]): string[][] {
  const calls = lines.map((words) => {
    const quoted = words.map((word) => `'${word}'`).join(" ");
    return `COMP_WORDS=(proxy-wasm ${quoted}); COMP_CWORD=${words.length}; COMPREPLY=(); _proxy_wasm; echo "\${COMPREPLY[*]}"\n`;
  });
  const said = run("bash", "--norc", "-c", `source proxy-wasm.bash\n${calls.join("")}`);
  return said
    .split("\n")
    .slice(0, -1)
    .map((line) => line.split(" ").filter(Boolean));
}

describe("bash", () => {
  test("completes commands, options, and what these take", () => {
    const lines: [words: string[], offered: string[]][] = [
      [["pu"], ["push", "pull"]],
      [["--v"], ["--version"]],
      [["help", "inst"], []],
      [["help", "ins"], ["inspect"]],
      [["package", "--la"], ["--layout"]],
      [
        ["package", "--layout", ""],
        ["compat", "artifact"],
      ],
      [["package", "-l", "a"], ["artifact"]],
      [
        ["package", "--layout", "="],
        ["compat", "artifact"],
      ],
      [["package", "--layout", "=", "a"], ["artifact"]],
      [["package", "--json", "--layout", "c"], ["compat"]],
      [
        ["manifest", "istio-"],
        ["istio-traffic-extension", "istio-envoy-filter"],
      ],
      [["check", "--for", "kong-"], ["kong-3.9"]],
      [["check", "--for", "istio-1.30", "kong-"], ["kong-3.9"]],
      [["check", "--for", "=", "istio-1.30", "kong-"], ["kong-3.9"]],
      [["check", "--for", "istio", "--js"], ["--json"]],
      [["completion", ""], [...shells]],
    ];
    const offered = bash(...lines.map(([words]) => words));
    expect(lines.map(([words], i) => [words, offered[i]])).toEqual(lines);
  });

  test("is left to complete files", () => {
    expect(bash(["inspect", ""], ["package", "--out", ""], ["push", "--username", ""])).toEqual([[], [], []]);
    expect(run("bash", "--norc", "-c", "source proxy-wasm.bash; complete -p proxy-wasm")).toContain("-o default");
  });

  test("knows every option that a help text names", async () => {
    const files = (await readdir(helpTexts)).filter((name) => name.endsWith(".help.txt"));
    expect(files.length).toBeGreaterThan(12);
    for (const file of files) {
      const name = file.replace(".help.txt", "");
      const flags = [...(await readFile(join(helpTexts, file), "utf8")).matchAll(/^  (?:(-\w), )?(--[\w-]+)/gm)];
      const names = flags.flatMap(([, short, long]) => (short === undefined ? [long] : [short, long]));
      const [offered] = bash(name === "proxy-wasm" ? ["-"] : [name, "-"]);
      expect({ name, offered }).toEqual({ name, offered: names });
    }
  });
});

test.skipIf(!isThere("zsh"))("zsh completes commands, options, and what these take", () => {
  // A terminal of its own, in which each line is completed by a key and then run. What it echoes is no `ready>`.
  const script = `
    zmodload zsh/zpty
    zpty shell 'TERM=dumb zsh -f -i'
    zpty -w shell 'proxy-wasm() { print -r -- "<""$*>" }; autoload -U compinit; compinit -u -D; source ./proxy-wasm.zsh'
    zpty -w shell 'unsetopt zle_bracketed_paste prompt_cr prompt_sp; PS1="rea""dy>"'
    zpty -r shell REPLY '*ready>'
    for line in "$@"; do
      zpty -w -n shell "proxy-wasm $line"$'\\t\\n'
      zpty -r shell REPLY '*<*ready>'
      print -r -- "\${\${REPLY##*<}%%>*}"
    done
    zpty -d shell`;
  const lines = [
    "insp",
    "--vers",
    "help pul",
    "package --layo",
    "package --layout=art",
    "package -l com",
    "manifest hig",
    "check --for kong",
    "check --for kong ngi",
    "check --for kong nginx --js",
  ];
  expect(
    run("zsh", "-f", "-c", script, "zsh", ...lines)
      .trim()
      .split("\n"),
  ).toEqual([
    "inspect",
    "--version",
    "help pull",
    "package --layout",
    "package --layout=artifact",
    "package -l compat",
    "manifest higress",
    "check --for kong",
    "check --for kong nginx",
    "check --for kong nginx --json",
  ]);
});

test.skipIf(!isThere("fish"))("fish completes commands, options, and what these take", () => {
  const offered = (line: string): string[] =>
    run("fish", "--no-config", "-c", `source proxy-wasm.fish; complete -C '${line}'`)
      .split("\n")
      .flatMap((text) => text.split("\t")[0] || []);
  expect(offered("proxy-wasm pu")).toEqual(["pull", "push"]);
  expect(offered("proxy-wasm package --lay")).toEqual(["--layout"]);
  expect(offered("proxy-wasm package --layout ")).toEqual(["artifact", "compat"]);
  expect(offered("proxy-wasm package --layout=a")).toEqual(["--layout=artifact"]);
  expect(offered("proxy-wasm check --for istio kong-")).toEqual(["kong-3.9"]);
  expect(offered("proxy-wasm check --for istio --js")).toEqual(["--json"]);
  expect(offered("proxy-wasm check --json kong-")).toEqual([]);
  expect(offered("proxy-wasm completion ")).toContain("zsh");
});

test("other shells are refused, and those that there are named", async () => {
  expect(await command(["completion", "tcsh"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Allowed choices are bash, zsh, fish."),
  });
});
