// What is unfinished in this process, for the kit that looks after tests: callouts without an answer, exchanges under way,
// root contexts that were to go and are not done.

/** Says what is unfinished, and what to do about it; undefined when nobody waits for it any more. */
export type Leftover = () => string | undefined;

/** All that is unfinished now, oldest first. */
export const leftovers: Set<Leftover> = new Set();
