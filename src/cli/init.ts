// `proxy-wasm init`: a project that builds, tests and serves.

import { spawn } from "node:child_process";
import { relative, resolve } from "node:path";

import { Command, Option } from "commander";

import { CommandError, UsageError } from "./errors.ts";
import { nameOf, nameProblem } from "./init/names.ts";
import { projectFiles, type Template, templates } from "./init/templates.ts";
import { obstacles, writeProject } from "./init/write.ts";
import type { Streams, Terminal } from "./streams.ts";

const packageManagers = ["npm", "pnpm", "yarn", "bun"];

interface InitFlags {
  readonly template?: string;
  readonly name?: string;
  readonly packageManager: string;
  readonly install?: boolean;
  readonly force?: boolean;
  readonly yes?: boolean;
}

/** The command. */
export function initCommand(streams: Streams): Command {
  const list = templates.map(({ name, summary }) => `  ${name.padEnd(14)}${summary}`).join("\n");
  return new Command("init")
    .description("Make a new project: a filter, its test, and what builds and serves it. Asks on a terminal.")
    .argument("[folder]", "where to; made when there is none (default: on a terminal it asks, else .)")
    .addOption(new Option("-t, --template <name>", "what to begin with").choices(templates.map(({ name }) => name)))
    .option("-n, --name <name>", "the package's name (default: the folder's)")
    .addOption(
      new Option("--package-manager <name>", "what installs and runs")
        .choices(packageManagers)
        .default(runningPackageManager(), "the one that runs this, or npm"),
    )
    .option("--install", "install the dependencies as well")
    .option("--no-install", "do not install, and do not ask")
    .option("-f, --force", "write into a folder that is not empty; files of the same names are replaced")
    .option("-y, --yes", "ask nothing: what is not given is as by default")
    .addHelpText("after", `\nTemplates:\n${list}\n${examples}`)
    .action((folder: string | undefined, flags: InitFlags) => run(folder, flags, streams));
}

const examples = `
Without a terminal, and with --yes, it never asks, and the template is add-header.

Examples:
  proxy-wasm init my-filter
  proxy-wasm init my-filter --template auth-callout --install
  npm create proxy-wasm my-filter`;

async function run(folder: string | undefined, flags: InitFlags, streams: Streams): Promise<void> {
  const terminal = flags.yes ? undefined : streams.terminal;
  const asked = terminal && (streams.color?.stdout ? terminal : withoutColors(terminal));
  const answers = asked ? await ask(folder, flags, asked) : await decide(folder, flags);
  const { target, template, name, install } = answers;
  const { packageManager } = flags;
  await writeProject(target, await projectFiles({ template, name, packageManager }));
  streams.stdout.write(`Made ${name} from the template ${template.name}.\n`);
  if (install) await installIn(target, packageManager, streams);
  const place = relative("", target);
  const steps = [
    ...(place ? [`cd ${/\s/.test(place) ? JSON.stringify(place) : place}`] : []),
    ...(install ? [] : [`${packageManager} install`]),
    `${packageManager} test`,
    `${packageManager} start`,
  ];
  streams.stdout.write(`\nNext:\n${steps.map((step) => `  ${step}\n`).join("")}`);
}

interface Answers {
  readonly target: string;
  readonly template: Template;
  readonly name: string;
  readonly install: boolean;
}

/** The answers of whoever cannot be asked. */
async function decide(folder: string = ".", flags: InitFlags): Promise<Answers> {
  const { force, template = templates[0]!.name, name = nameOf(folder), install = false } = flags;
  checkName(name);
  const there = await obstacles(folder);
  if (there.length && !force) throw new CommandError(notEmpty(folder, there));
  return { target: folder, template: templateOf(template), name, install };
}

/** The answers of a person; what the flags say is not asked. */
async function ask(folder: string | undefined, flags: InitFlags, terminal: Terminal): Promise<Answers> {
  const { confirm, isCancel, select, text, updateSettings } = await import("@clack/prompts");
  // Ctrl-D ends a question like Ctrl-C.
  updateSettings({ aliases: { "\x04": "cancel" } });
  const answered = async <T>(question: Promise<T>): Promise<Exclude<T, symbol>> => {
    const answer = await question;
    if (isCancel(answer)) throw new CommandError("cancelled; nothing was written");
    return answer as Exclude<T, symbol>;
  };
  if (flags.name !== undefined) checkName(flags.name);
  const offered = (value: string): object => ({ defaultValue: value, placeholder: value });
  const target = folder ?? (await answered(text({ message: "Where to?", ...offered("my-filter"), ...terminal })));
  const there = await obstacles(target);
  if (there.length && !flags.force) {
    const message = `${target} is not empty. Write into it, and replace files of the same names?`;
    const writes = await answered(confirm({ message, initialValue: false, ...terminal }));
    if (!writes) throw new CommandError("cancelled; nothing was written");
  }
  const options = templates.map(({ name, summary }) => ({ value: name, label: `${name.padEnd(14)}${summary}` }));
  const template =
    flags.template ?? (await answered(select({ message: "What is the filter to do?", options, ...terminal })));
  const name =
    flags.name ??
    (await answered(
      text({
        message: "What is the package's name?",
        ...offered(nameOf(target)),
        validate: (value) => nameProblem(value || nameOf(target)),
        ...terminal,
      }),
    ));
  const message = `Install the dependencies with ${flags.packageManager} now?`;
  const install = flags.install ?? (await answered(confirm({ message, ...terminal })));
  return { target, template: templateOf(template), name, install };
}

/** The terminal, without what clack colours in spite of NO_COLOR. */
function withoutColors({ input, output }: Terminal): Terminal {
  return {
    input,
    output: new Proxy(output, {
      get(target, name) {
        // oxlint-disable-next-line no-control-regex
        if (name === "write") return (text: string) => target.write(text.replace(/\x1b\[[\d;]*m/g, ""));
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    }),
  };
}

function checkName(name: string): void {
  const problem = nameProblem(name);
  if (problem !== undefined) throw new UsageError(`"${name}" cannot be the package's name: ${problem}`);
}

function templateOf(name: string): Template {
  return templates.find((template) => template.name === name)!;
}

function notEmpty(folder: string, there: readonly string[]): string {
  const some = there.slice(0, 3).join(", ") + (there.length > 3 ? ", …" : "");
  return `${folder} is not empty (${some}); choose another folder, or --force to replace files of the same names`;
}

/** The package manager that runs this program, from what it says of itself. */
function runningPackageManager(): string {
  const name = process.env["npm_config_user_agent"]?.split("/")[0] ?? "";
  return packageManagers.includes(name) ? name : packageManagers[0]!;
}

async function installIn(folder: string, packageManager: string, { stderr, signal }: Streams): Promise<void> {
  stderr.write(`Installing with ${packageManager} …\n`);
  const child = spawn(packageManager, ["install"], {
    cwd: resolve(folder),
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    // On Windows these are batch files.
    shell: process.platform === "win32",
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => stderr.write(chunk.toString()));
  const problem = await new Promise<string | undefined>((done) => {
    child.once("error", (error) => done(error.message));
    child.once("close", (code) => done(code === 0 ? undefined : `it ended with ${code}`));
  });
  if (problem === undefined) return;
  throw new CommandError(
    `the project is there, but its dependencies are not: ${packageManager} install: ${problem}; run it again in ${folder}`,
  );
}
