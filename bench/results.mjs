// results.md: a section for each kind of measurement, each written anew by the command that measures it.

import { readFile, writeFile } from "node:fs/promises";
import { cpus, release, type } from "node:os";
import { join } from "node:path";

const file = join(import.meta.dirname, "results.md");
const head = `# Results

Written by \`npm run bench\`, \`npm run bench -- --envoy\` and \`npm run bench -- --soak\`, each its own sections.
`;

/** Puts a section in the place of the one with the same title; a line below the title says when and where it was. */
export async function writeSection(title, command, body) {
  const [, ...sections] = (await readFile(file, "utf8").catch(() => head)).split(/^## /m);
  const made = `${title}\n\n\`${command}\`, ${where()}\n\n${body.trim()}\n\n`;
  const at = sections.findIndex((section) => section.startsWith(`${title}\n`));
  if (at >= 0) sections[at] = made;
  else sections.push(made);
  const text = [head, ...sections.map((section) => `## ${section.trim()}\n`)].join("\n");
  await writeFile(file, text);
}

function where() {
  const { model } = cpus()[0];
  const day = new Date().toISOString().slice(0, 10);
  return `${day}, ${cpus().length} cores of ${model.trim()}, ${type()} ${release().split("-")[0]}, Node ${process.version} (V8 ${process.versions.v8})`;
}

/** A table; the first column is text, the others are numbers. */
export function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i].length), 3));
  const line = (row) =>
    `| ${row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(" | ")} |`;
  const rule = `| ${widths.map((width, i) => (i ? `${"-".repeat(width - 1)}:` : "-".repeat(width))).join(" | ")} |`;
  return [line(cells[0]), rule, ...cells.slice(1).map(line)].join("\n");
}

/** The middle one of some numbers; `share` other than a half gives another quantile. */
export function quantile(numbers, share = 0.5) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
