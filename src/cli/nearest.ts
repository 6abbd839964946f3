// What somebody may have meant.

/** The word that takes the fewest changes to become this one; undefined when each takes too many. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const ranked = words.map((other) => ({ other, changes: changesBetween(word, other) }));
  const [best] = ranked.sort((a, b) => a.changes - b.changes);
  return best && best.changes <= Math.max(1, Math.floor(word.length / 2.5)) ? best.other : undefined;
}

/** How many letters have to be added, removed, replaced, or swapped with the next one. */
function changesBetween(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const swapped = isSwap ? rows[i - 2]![j - 2]! + 1 : Infinity;
      row.push(Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, replaced, swapped));
    }
    rows.push(row);
  }
  return rows[from.length]![to.length]!;
}
