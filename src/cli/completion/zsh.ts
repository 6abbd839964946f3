// The script for zsh.

import type { CommandWords, OptionWords } from "./words.ts";

/** Writes it. */
export function zshScript(commands: readonly CommandWords[]): string {
  const [program, ...others] = commands as [CommandWords, ...CommandWords[]];
  const described = others.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}\n`);
  const cases = others.map(({ name, options, argument }) => {
    const rest = argument.length ? `1:word:(${argument.join(" ")})` : "*:file:_files";
    return `    ${name}) _arguments -S${[...options.flatMap(specs), quoted(rest)].map(continued).join("")} ;;\n`;
  });
  return `#compdef proxy-wasm
# Completion of proxy-wasm for zsh, written by: proxy-wasm completion zsh
_proxy-wasm() {
  local -a commands
  commands=(
${described.join("")}  )
  if ((CURRENT == 2)); then
    if [[ $PREFIX == -* ]]; then
      _arguments -S${program.options.flatMap(specs).map(continued).join("")}
    else
      _describe command commands
    fi
    return
  fi
  local command=$words[2]
  # Behind some options several words can stand, up to the next one.
  local more="*-*:"
  [[ $PREFIX == -* ]] && more=""
  shift words
  ((CURRENT--))
  case $command in
${cases.join("")}  esac
}
# Loaded from a folder of functions, or by source.
if [[ $funcstack[1] == _proxy-wasm ]]; then
  _proxy-wasm "$@"
else
  compdef _proxy-wasm proxy-wasm
fi
`;
}

/** How `_arguments` is told of an option: any number of times, with what it takes. */
function specs({ short, long, description, value, isList }: OptionWords): string[] {
  const says = `[${description.replaceAll(/[\\[\]]/g, "\\$&")}]`;
  const words = value?.length ? `value:(${value.join(" ")})` : "value:_files";
  const takes = isList ? `:'"$more"'${words}` : `:${words}`;
  const flags = [...(short === undefined ? [] : [`${short}${value ? "+" : ""}`]), `${long}${value ? "=" : ""}`];
  return flags.map((flag) => {
    const spec = quoted(`*${flag}${says}`);
    return value ? `${spec.slice(0, -1)}${takes}'` : spec;
  });
}

function continued(line: string): string {
  return ` \\\n      ${line}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
