// Colours for a terminal.

import pc from "picocolors";

/** What colours a text, or leaves it as it is when none are wanted. */
export type Colors = ReturnType<typeof pc.createColors>;

/** Makes them. */
export function makeColors(wanted: boolean | undefined): Colors {
  return pc.createColors(wanted ?? false);
}
