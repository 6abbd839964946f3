// Errors that a person on the command line can do something about.

/** The command was used wrongly: exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The command could not do what it was asked: exit code 1. */
export class CommandError extends Error {
  override name = "CommandError";
}
