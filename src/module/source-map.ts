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
  /** The index of its source; -1 when the code from here on comes from none. */
  readonly source: number;
  readonly line: number;
  readonly column: number;
}

/** Whether a text is one that can be read here. */
export function isSourceMap(text: string): boolean {
  try {
    const { mappings, sources } = JSON.parse(text) as { mappings?: unknown; sources?: unknown };
    return typeof mappings === "string" && Array.isArray(sources);
  } catch {
    return false;
  }
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
    if (!segment || segment.source < 0) return undefined;
    return {
      file: this.#sources[segment.source] ?? "?",
      line: segment.line + 1,
      column: segment.column + 1,
    };
  }

  /** Every place of the module that comes from a source, in order, and where that is. */
  *places(): Generator<SourcePosition & { readonly offset: number }> {
    for (const { offset, position } of this.segments()) if (position) yield { offset, ...position };
  }

  /** Where every stretch of the module begins, in order, and what it comes from; undefined when from no source. */
  *segments(): Generator<{ readonly offset: number; readonly position: SourcePosition | undefined }> {
    for (const { offset, source, line, column } of this.#segments) {
      const file = this.#sources[source];
      const position = file === undefined ? undefined : { file, line: line + 1, column: column + 1 };
      yield { offset: offset + this.#shift, position };
    }
  }

  /** The text of a line of a source file, or undefined when the map does not have it. */
  lineOf(position: SourcePosition): string | undefined {
    return this.#contents[this.#sources.indexOf(position.file)]?.split("\n")[position.line - 1];
  }
}

/** The JSON of a source map, with other names of its sources, for a module whose code is `shift` bytes further back. */
export function relocate(json: string, shift: number, nameOf: (source: string) => string): string {
  const { sourceRoot: _, ...map } = JSON.parse(json) as { mappings: string; sources: string[]; sourceRoot?: string };
  const [first = 0, ...rest] = decodeNumbers(/^[^,;]*/.exec(map.mappings)![0]);
  // Every offset but the first is told by its distance from the one before.
  const mappings = map.mappings.replace(/^[^,;]*/, [first + shift, ...rest].map(encodeNumber).join(""));
  return JSON.stringify({ ...map, sources: map.sources.map(nameOf), mappings });
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function decodeMappings(mappings: string): Segment[] {
  const segments: Segment[] = [];
  const [offset, source, line, column] = [0, 1, 2, 3];
  const state = [0, 0, 0, 0];
  for (const group of (mappings.split(";")[0] ?? "").split(",")) {
    const deltas = decodeNumbers(group);
    for (let i = 0; i < Math.min(deltas.length, 4); i++) state[i]! += deltas[i]!;
    const from = deltas.length < 4 ? -1 : state[source]!;
    if (deltas.length)
      segments.push({ offset: state[offset]!, source: from, line: state[line]!, column: state[column]! });
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

function encodeNumber(number: number): string {
  let text = "";
  let rest = number < 0 ? (-number << 1) | 1 : number << 1;
  for (; rest > 31; rest >>>= 5) text += digits[(rest & 31) | 32];
  return text + digits[rest];
}
