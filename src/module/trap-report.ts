// What a trap says to a person: the reason, the place in the source, what the filter was doing.

import { LogLevel } from "../../assembly/abi.ts";
import type { SourceMap, SourcePosition } from "./source-map.ts";
import { formatEvent } from "../trace.ts";
import type { Trap } from "./trap.ts";

/** Several lines: the message, where in the source it was, the line there, the last events. */
export function trapReport(trap: Trap, map: SourceMap | undefined): string {
  const said = abortMessage(trap);
  const frames = map ? stackPositions(trap, map) : [];
  // The SDK's abort knows its place exactly; what the optimizer left in the stack is near it.
  const place = said ? positionIn(said) : frames[0];
  const lines = [`the filter stopped in ${trap.callback}: ${said ?? trap.message}`];
  if (!said) for (const { file, line, column } of frames) lines.push(`    at ${file}:${line}:${column}`);
  const text = place && map?.lineOf(place);
  if (text !== undefined)
    lines.push(`${String(place!.line).padStart(5)} | ${text}`, `${" ".repeat(7 + place!.column)}^`);
  const last = trap.trace.events.slice(-8).map((event) => `    ${formatEvent(event)}`);
  return [...lines, "  before that:", ...last].join("\n");
}

/** What the SDK's abort has logged, `<message> at <file>:<line>:<column>`, or undefined when the trap is another. */
function abortMessage(trap: Trap): string | undefined {
  const last = trap.trace.events.at(-1);
  return last?.kind === "log" && last.level === LogLevel.Critical ? last.message : undefined;
}

function positionIn(message: string): SourcePosition | undefined {
  const match = / at (\S+):(\d+):(\d+)$/.exec(message);
  return match ? { file: match[1]!, line: Number(match[2]), column: Number(match[3]) } : undefined;
}

/** Where in its source the filter was, innermost first. */
function stackPositions(trap: Trap, map: SourceMap): SourcePosition[] {
  const stack = trap.cause instanceof Error ? (trap.cause.stack ?? "") : "";
  const offsets = [...stack.matchAll(/wasm-function\[\d+\]:0x([0-9a-f]+)/g)];
  return offsets.flatMap((match) => map.positionOf(Number.parseInt(match[1]!, 16)) ?? []);
}
