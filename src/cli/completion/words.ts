// What can be completed: the commands, their options, and what arguments and options can be.

import type { Argument, Command, Option } from "commander";

/** What can stand behind the name of a command. */
export interface CommandWords {
  /** Empty for the program itself. */
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionWords[];
  /** What the first argument can be; empty when it is a file or anything else. */
  readonly argument: readonly string[];
}

/** An option. */
export interface OptionWords {
  /** Such as `-q`; undefined without one. */
  readonly short: string | undefined;
  /** Such as `--quiet`. */
  readonly long: string;
  readonly description: string;
  /** Whether a word has to follow, and what it can be; empty when it is a file or anything else. */
  readonly value: readonly string[] | undefined;
  /** Whether several words may follow. */
  readonly isList: boolean;
}

const known = new WeakMap<Argument | Option, readonly string[]>();

/** Says what an argument or option can be where `choices` would fill its line of the help. */
export function knowing<T extends Argument | Option>(item: T, words: readonly string[]): T {
  known.set(item, words);
  return item;
}

/** The words of a command. */
export function wordsOf(command: Command, name: string, summary: string): CommandWords {
  const [first] = command.registeredArguments;
  return {
    name,
    summary,
    options: command
      .createHelp()
      .visibleOptions(command)
      .flatMap((option) => (option.long ? [optionWords(option, option.long)] : [])),
    argument: first ? valuesOf(first) : [],
  };
}

function optionWords(option: Option, long: string): OptionWords {
  const { short, description, required, variadic } = option;
  return { short, long, description, value: required ? valuesOf(option) : undefined, isList: variadic };
}

function valuesOf(item: Argument | Option): readonly string[] {
  return item.argChoices ?? known.get(item) ?? [];
}
