// The commands that there are.

import type { Command } from "commander";

import type { Streams } from "./streams.ts";

/** Makes a command. */
type CommandFactory = (streams: Streams) => Command;

/** A command that is there. */
interface KnownCommand {
  readonly name: string;
  readonly summary: string;
  load(): Promise<CommandFactory>;
}

/** The commands: what each is for, and where it is, since a command line needs one of them. */
export const commands: readonly KnownCommand[] = [
  { name: "init", summary: "make a new project", load: async () => (await import("./init.ts")).initCommand },
  { name: "build", summary: "compile a project's filter", load: async () => (await import("./build.ts")).buildCommand },
  { name: "check", summary: "say where a module loads", load: async () => (await import("./check.ts")).checkCommand },
  { name: "serve", summary: "serve HTTP with a filter", load: async () => (await import("./serve.ts")).serveCommand },
  { name: "envoy", summary: "serve it with a real Envoy", load: async () => (await import("./envoy.ts")).envoyCommand },
  {
    name: "run-cases",
    summary: "run exchanges that a file describes",
    load: async () => (await import("./run-cases.ts")).runCasesCommand,
  },
  {
    name: "inspect",
    summary: "say what is in a module",
    load: async () => (await import("./inspect.ts")).inspectCommand,
  },
  {
    name: "package",
    summary: "make an image of a filter",
    load: async () => (await import("./package.ts")).packageCommand,
  },
  { name: "push", summary: "push an image to a registry", load: async () => (await import("./push.ts")).pushCommand },
  {
    name: "verify",
    summary: "say whether proxies load an image",
    load: async () => (await import("./verify.ts")).verifyCommand,
  },
  {
    name: "manifest",
    summary: "write what a proxy reads to run a filter",
    load: async () => (await import("./manifest.ts")).manifestCommand,
  },
  { name: "pull", summary: "get a filter out of an image", load: async () => (await import("./pull.ts")).pullCommand },
  {
    name: "gaps",
    summary: "list what the host does not do",
    load: async () => (await import("./gaps.ts")).gapsCommand,
  },
  {
    name: "completion",
    summary: "make a shell complete all this",
    load: async () => (await import("./completion.ts")).completionCommand,
  },
];
