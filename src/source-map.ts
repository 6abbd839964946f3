// From an address in a module to the line it was compiled from. Source: "Source map" (ECMA-426), version 3; in the map
// of a module, the one generated line is the binary, and its columns are byte offsets.

/** A place in a source file; line and column count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

interface Segment {
  readonly offset: number;
  readonly source: number;
  readonly line: number;
  readonly column: number;
}

/** The source map of a module. */
export class SourceMap {
  readonly #segments: Segment[];
  readonly #sources: readonly string[];
  readonly #contents: readonly (string | null)[];
  readonly #shift: number;

  /** Reads the JSON of a source map; throws when it is none. Offsets asked for are `shift` greater than the map's. */
  constructor(json: string, shift: number = 0) {
    this.#shift = shift;
    const map = JSON.parse(json) as { mappings: string; sources: string[]; sourcesContent?: (string | null)[] };
    this.#sources = map.sources;
    this.#contents = map.sourcesContent ?? [];
    this.#segments = decodeMappings(map.mappings);
  }

  /** The place that the instruction at this byte offset comes from, or undefined. */
  positionOf(shifted: number): SourcePosition | undefined {
    const offset = shifted - this.#shift;
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#segments[middle]!.offset <= offset) low = middle + 1;
      else high = middle;
    }
    const segment = this.#segments[low - 1];
    if (!segment) return undefined;
    return {
      file: this.#sources[segment.source] ?? "?",
      line: segment.line + 1,
      column: segment.column + 1,
    };
  }

  /** The text of a line of a source file, or undefined when the map does not have it. */
  lineOf(position: SourcePosition): string | undefined {
    return this.#contents[this.#sources.indexOf(position.file)]?.split("\n")[position.line - 1];
  }
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function decodeMappings(mappings: string): Segment[] {
  const segments: Segment[] = [];
  const [offset, source, line, column] = [0, 1, 2, 3];
  const state = [0, 0, 0, 0];
  for (const group of (mappings.split(";")[0] ?? "").split(",")) {
    const deltas = decodeNumbers(group);
    if (deltas.length < 4) continue;
    for (let i = 0; i < 4; i++) state[i]! += deltas[i]!;
    segments.push({ offset: state[offset]!, source: state[source]!, line: state[line]!, column: state[column]! });
  }
  return segments;
}

/** Base 64 VLQ: five bits a digit, the lowest group first, the lowest bit of the number its sign. */
function decodeNumbers(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const character of text) {
    const digit = digits.indexOf(character);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return numbers;
}
