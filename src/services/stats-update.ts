// The statistics of the proxy in the bytes that a stats sink is given, as Envoy writes them.
// Source: Envoy source/extensions/common/wasm/context.cc (onStatsUpdate); what Envoy 1.40 wrote.

import { bytesOf, encodeText } from "../encoding/bytes.ts";
import { EnvoyFault } from "../error.ts";
import { PaddedBytes } from "../encoding/padded-bytes.ts";

/** The statistics of a proxy at one time. */
export interface ProxyStats {
  /** Values by full name; with what was added since the last update, which is all of it by default. */
  readonly counters?: Readonly<
    Record<
      string,
      | number
      | bigint
      | {
          /** What the counter has come to. */
          readonly value: number | bigint;
          /** What was added since the last update. */
          readonly delta: number | bigint;
        }
    >
  >;
  /** Values by full name. */
  readonly gauges?: Readonly<Record<string, number | bigint>>;
  /** How many metrics there are that were never used: Envoy counts them, and does not write them. None by default. */
  readonly unused?: number;
}

const COUNTERS = 1;
const GAUGES = 2;
const HEAD = 12;

/** The bytes of an update. Their size is the one that Envoy says, which is far more than it writes. */
export function encodeStats({ counters = {}, gauges = {}, unused = 0 }: ProxyStats): PaddedBytes {
  const written: number[] = [];
  let end = HEAD;
  const begin = (kind: number, count: number): void => word(written, [0, kind, count + unused]);
  begin(COUNTERS, Object.keys(counters).length);
  for (const [name, counter] of Object.entries(counters)) {
    const { value, delta } = typeof counter === "object" ? counter : { value: counter, delta: counter };
    metric(written, name, [value, delta]);
    end = written.length;
  }
  const start = written.length;
  begin(GAUGES, Object.keys(gauges).length);
  // What Envoy takes for the size of the block doubles with each gauge, in 32 bits.
  let size = HEAD;
  for (const [name, value] of Object.entries(gauges)) {
    metric(written, name, [value]);
    size += 4 + encodeText(name).length;
    size = (size + aligned(size + 8)) >>> 0;
  }
  const bytes = Uint8Array.from(written);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, end, true);
  view.setUint32(start, size, true);
  const whole = (end + size) >>> 0;
  if (whole < bytes.length) {
    throw new EnvoyFault(
      `the statistics have so many gauges that Envoy 1.40 takes ${whole} bytes for the ${bytes.length} that it writes, ` +
        "and writes beyond its memory. Keep gauges out of them with stats_matcher.",
    );
  }
  return new PaddedBytes(bytes, whole);
}

function metric(bytes: number[], name: string, values: readonly (number | bigint)[]): void {
  const text = bytesOf(encodeText(name));
  word(bytes, [text.length]);
  bytes.push(...text);
  while (bytes.length % 8) bytes.push(0);
  for (const value of values) {
    const bits = BigInt.asUintN(64, BigInt(value));
    word(bytes, [Number(bits & 0xffff_ffffn), Number(bits >> 32n)]);
  }
}

function word(bytes: number[], values: readonly number[]): void {
  for (const value of values) bytes.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
}

function aligned(size: number): number {
  return ((size + 7) & ~7) >>> 0;
}
