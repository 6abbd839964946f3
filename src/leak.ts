// Whether a filter keeps something of every exchange that is over.

import { LeakError } from "./error.ts";

/** How long a leak is looked for. */
export interface LeakOptions {
  /** How many exchanges are watched; 10,000 by default. */
  readonly times?: number;
  /** How many come before, so that caches and collectors settle; a tenth of `times` by default. */
  readonly warmUp?: number;
}

/** What a filter takes of its proxy. */
export interface Usage {
  /** Bytes of its linear memory: whole pages of 64 KiB, which never become fewer. */
  readonly memoryBytes: number;
  /** How many streams and connections it is in. */
  readonly streams: number;
}

/** What is watched. */
export interface Watched {
  readonly usage: Usage;
  /** Why it has stopped for good, or null. */
  readonly trap: string | null;
}

/** Runs exchanges, and throws a `LeakError` when they leave anything behind. See `Filter.expectNoLeak`. */
export async function expectNoLeak(
  filter: Watched,
  run: (index: number) => unknown,
  options: LeakOptions,
): Promise<void> {
  const { times = 10_000, warmUp = Math.ceil(times / 10) } = options;
  if (!(times >= 1)) throw new RangeError(`times is ${times}; without an exchange there is nothing to watch`);
  const repeat = async (from: number, to: number): Promise<Usage> => {
    for (let i = from; i < to; i++) {
      await run(i);
      if (filter.trap !== null) throw new LeakError(`the filter stopped in exchange ${i + 1}: ${filter.trap}`);
    }
    return filter.usage;
  };
  const before = await repeat(0, warmUp);
  const after = await repeat(warmUp, warmUp + times);
  const left = [streamsLeft(before, after, times), memoryLeft(before, after, times)].filter((text) => text !== "");
  if (left.length)
    throw new LeakError(`after ${warmUp} exchanges to warm up, ${times} more left ${left.join("; and ")}`);
}

function streamsLeft(before: Usage, after: Usage, times: number): string {
  const count = after.streams - before.streams;
  if (count <= 0) return "";
  return (
    `${count} streams open (${before.streams} → ${after.streams}, one in ${round(times / count)}): each keeps its context. ` +
    "Let what is held continue, and end every stream that is opened"
  );
}

function memoryLeft(before: Usage, after: Usage, times: number): string {
  const bytes = after.memoryBytes - before.memoryBytes;
  if (bytes <= 0) return "";
  const kib = (size: number): string => `${size / 1024} KiB`;
  return (
    `the filter's memory larger (${kib(before.memoryBytes)} → ${kib(after.memoryBytes)}, about ${round(bytes / times)} ` +
    "bytes each): it keeps what belongs to streams that are over, in a static field, a global array or map. Free it in " +
    "onDelete; if it is a cache that fills, ask for a longer warmUp"
  );
}

function round(number: number): number {
  return number < 10 ? Math.round(number * 10) / 10 : Math.round(number);
}
