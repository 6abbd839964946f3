// What a trap says to a person: the reason, the place in the source, what the filter was doing.

import type { Trap } from "./error.ts";
import type { SourceMap, SourcePosition } from "./source-map.ts";
import { formatEvent, type Trace } from "./trace.ts";

/** Where in its source the filter was, innermost first; none without a source map. */
export function sourcePositions(trap: Trap, map: SourceMap | undefined): SourcePosition[] {
  const stack = trap.cause instanceof Error ? (trap.cause.stack ?? "") : "";
  const offsets = [...stack.matchAll(/wasm-function\[\d+\]:0x([0-9a-f]+)/g)].map((match) => Number.parseInt(match[1]!, 16));
  if (!map) return [];
  return offsets.flatMap((offset) => map.positionOf(offset) ?? []);
}

/** Several lines: message, places, the line of the author's source, the last events. */
export function trapReport(trap: Trap, map: SourceMap | undefined, trace: Trace): string {
  const positions = sourcePositions(trap, map);
  const own = positions.find((position) => !position.file.startsWith("~lib/")) ?? positions[0];
  const said = trace.logs.at(-1);
  const lines = [`the filter stopped in ${trap.callback}: ${said?.level === 5 ? said.message : trap.message}`];
  for (const { file, line, column } of positions) lines.push(`    at ${file}:${line}:${column}`);
  if (own?.text !== undefined) {
    lines.push("", `${String(own.line).padStart(5)} | ${own.text}`, `${" ".repeat(7 + own.column)}^`);
  }
  const last = trace.events.slice(-8).map((event) => `    ${formatEvent(event)}`);
  return [...lines, "  before that:", ...last].join("\n");
}
