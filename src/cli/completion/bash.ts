// The script for bash, 3.2 and newer.

import type { CommandWords, OptionWords } from "./words.ts";

/** Writes it. */
export function bashScript(commands: readonly CommandWords[]): string {
  const names = commands.flatMap(({ name }) => (name ? [name] : []));
  const values = commands.flatMap(({ name, options }) =>
    options.flatMap((option) => {
      if (!option.value) return [];
      const after = flagsOf(option).map((flag) => `"${name} ${flag}"`);
      return `    ${after.join(" | ")}) words="${option.value.join(" ")}" ;;\n`;
    }),
  );
  const lists = commands.flatMap(({ name, options }) =>
    options
      .filter(({ value, isList }) => isList && value?.length)
      .flatMap((option) => flagsOf(option).map((flag) => `"${name} ${flag}"`)),
  );
  const words = commands.map(({ name, options, argument }) => {
    const flags = `      "${name} -"*) words="${options.flatMap(flagsOf).join(" ")}" ;;\n`;
    return argument.length ? `${flags}      "${name} "*) words="${argument.join(" ")}" ;;\n` : flags;
  });
  return `# Completion of proxy-wasm for bash, written by: proxy-wasm completion bash
_proxy_wasm() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}" command="" last="" words="" i
  # --option=value comes as three words.
  if [[ $word == "=" ]]; then
    word=""
  elif [[ $before == "=" ]]; then
    before="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
    ${names.join(" | ")})
      command="\${COMP_WORDS[i]}"
      break
      ;;
    esac
  done
  # Behind some options several words can stand.
  for ((i++; i < COMP_CWORD; i++)); do
    if [[ "\${COMP_WORDS[i]}" == -* ]]; then last="\${COMP_WORDS[i]}"; fi
  done
  if [[ $word != -* ]]; then
    case "$command $last" in
    ${lists.join(" | ")}) before="$last" ;;
    esac
  fi
  case "$command $before" in
${values.join("")}    *)
      case "$command $word" in
${words.join("")}      esac
      ;;
  esac
  # Without a word, bash completes files.
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _proxy_wasm proxy-wasm
`;
}

function flagsOf({ short, long }: OptionWords): string[] {
  return short === undefined ? [long] : [short, long];
}
