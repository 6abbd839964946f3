// The script for fish.

import type { CommandWords } from "./words.ts";

/** Writes it. */
export function fishScript(commands: readonly CommandWords[]): string {
  const summaries = new Map(commands.map(({ name, summary }) => [name, summary]));
  const lines = commands.flatMap(({ name, options, argument }) => {
    const when = `complete -c proxy-wasm -n ${name ? quoted(`__fish_seen_subcommand_from ${name}`) : "__fish_use_subcommand"}`;
    return [
      ...argument.map((word) => {
        const summary = name === "" || name === "help" ? summaries.get(word) : undefined;
        return `${when} -f -a ${word}${summary === undefined ? "" : ` -d ${quoted(summary)}`}`;
      }),
      // The words behind the first of several.
      ...options.flatMap(({ short, long, value, isList }) => {
        if (!isList || !value?.length) return [];
        const flags = short === undefined ? long : `${short} ${long}`;
        const within = `__fish_seen_subcommand_from ${name}; and __proxy_wasm_behind ${flags}`;
        return [`complete -c proxy-wasm -n ${quoted(within)} -f -a ${quoted(value.join(" "))}`];
      }),
      ...options.map(({ short, long, description, value }) => {
        const flags = short === undefined ? "" : ` -s ${short.slice(1)}`;
        const needs = value?.length ? ` -x -a ${quoted(value.join(" "))}` : value ? " -r" : "";
        return `${when}${flags} -l ${long.slice(2)}${needs} -d ${quoted(description)}`;
      }),
    ];
  });
  return `# Completion of proxy-wasm for fish, written by: proxy-wasm completion fish
# Whether the last option is one of these.
function __proxy_wasm_behind
  set -l options (string match -- '-*' (commandline -opc))
  and contains -- $options[-1] $argv
end
${lines.join("\n")}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
