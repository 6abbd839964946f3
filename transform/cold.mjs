// What the optimizer is not to put where it is called, because it is called seldom or is large: a filter that reads and
// sets headers is a tenth smaller for it, and as fast.

const cold = [
  "~stack_overflow",
  "*/assembly/abort/encodeNumber",
  "*/assembly/heap/collect",
  "*/assembly/heap/grow",
  "*/assembly/heap/hasRoom",
  "*/assembly/heap/hold",
  "*/assembly/heap/makeRoom",
  "*/assembly/heap/release",
  "*/assembly/heap/sweep",
  "*/assembly/heap/visit",
  "*/assembly/memory/freeSpilled",
  "*/assembly/memory/interrupt",
  "*/assembly/memory/resume",
  "*/assembly/memory/spill",
  "*/assembly/memory/writeCopy",
  "*/assembly/status/complain",
  "*/assembly/status/report",
  "*/assembly/field/isFieldSlowly",
  "*/assembly/field/refuse",
  "*/assembly/utf8/decode",
  "*/assembly/utf8/encode",
  "*/assembly/utf8/encodePoint",
  "~lib/rt/__visit_globals",
  "~lib/rt/__visit_members",
];

/** Marks these functions, and those of the author whose names are given: a trap is to name them, and `inspect` too. */
export function keepApart(module, binaryen, authors) {
  for (const name of [...cold, ...authors]) {
    binaryen.setPassArgument("no-inline", name);
    module.runPasses(["no-inline"]);
  }
}
