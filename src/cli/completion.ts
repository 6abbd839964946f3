// `proxy-wasm completion`: with what it prints, a shell completes commands, options and their values.

import { Argument, Command } from "commander";

import { commands } from "./commands.ts";
import { bashScript } from "./completion/bash.ts";
import { fishScript } from "./completion/fish.ts";
import { type CommandWords, wordsOf } from "./completion/words.ts";
import { zshScript } from "./completion/zsh.ts";
import type { Streams } from "./streams.ts";

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** The command. */
export function completionCommand(streams: Streams): Command {
  const command: Command = new Command("completion")
    .description("Print a script with which a shell completes commands, options and what they can be.")
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(scripts)))
    .addHelpText("after", examples)
    .action(async (shell: keyof typeof scripts) => {
      streams.stdout.write(scripts[shell](await allWords(command.parent!, streams)));
    });
  return command;
}

const examples = `
Examples:
  source <(proxy-wasm completion bash)                                          # in ~/.bashrc
  proxy-wasm completion zsh > "\${fpath[1]}/_proxy-wasm"
  proxy-wasm completion fish > ~/.config/fish/completions/proxy-wasm.fish`;

/** The words of the program, then those of each command. */
async function allWords(program: Command, streams: Streams): Promise<CommandWords[]> {
  const all: CommandWords[] = [];
  for (const { name, summary, load } of commands) all.push(wordsOf((await load())(streams), name, summary));
  const names = [...commands.map(({ name }) => name), "help"];
  const help = { name: "help", summary: "print the help of a command", options: [], argument: names };
  return [{ ...wordsOf(program, "", ""), argument: names }, ...all, help];
}
