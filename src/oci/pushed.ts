// What was pushed from a layout, and where to: a note beside it, for those who pin its digest later.

import type { Digest } from "./descriptor.ts";
import { readLimited, replaceFile } from "./files.ts";
import { layoutFolder } from "./layout.ts";

/** What the note holds. */
interface Pushed {
  readonly manifestDigest: Digest;
  /** With their tags, such as `ghcr.io/acme/my-filter:1.0.0`. */
  readonly references: readonly string[];
}

const MAX_NOTE_BYTES = 1 << 20;

/** Notes that the image of a layout was pushed. What was noted of another image goes. */
export async function notePushed(path: string, digest: Digest, references: readonly string[]): Promise<void> {
  const file = noteOf(path);
  const earlier = await readNote(file);
  const known = earlier?.manifestDigest === digest ? earlier.references : [];
  const note: Pushed = { manifestDigest: digest, references: [...new Set([...known, ...references])] };
  await replaceFile(file, `${JSON.stringify(note, undefined, 2)}\n`);
}

/** Whether an image was pushed from a layout under a name; without a tag, any will do. */
export async function wasPushed(path: string, digest: Digest, name: string): Promise<boolean> {
  const note = await readNote(noteOf(path));
  if (note?.manifestDigest !== digest) return false;
  return note.references.some((reference) => reference === name || reference.replace(/:[^:/]+$/, "") === name);
}

/** The file of the note. */
function noteOf(path: string): string {
  return `${layoutFolder(path)}.pushed.json`;
}

/** The note; undefined when there is none that can be read. */
async function readNote(file: string): Promise<Pushed | undefined> {
  try {
    const note = JSON.parse(new TextDecoder().decode(await readLimited(file, MAX_NOTE_BYTES))) as Partial<Pushed>;
    return Array.isArray(note.references) ? (note as Pushed) : undefined;
  } catch {
    return undefined;
  }
}
