// The proxy's own statistics, as Envoy hands them to a filter that is a stats sink. They are read one by one, straight
// from the host: what a filter does not look at costs nothing.
// Source: Envoy source/extensions/common/wasm/context.cc (onStatsUpdate); what Envoy 1.40 wrote.

import { askCallData } from "./call-data";
import { focus } from "./callback";
import { answerData, answerSize, answerText } from "./memory";

// Two blocks, counters and gauges: their size, kind and how many there are, each of 4 bytes, then the metrics: the size of
// the name, the name, zeros up to a multiple of 8, the value, and for a counter what was added to it. Neither is to be
// relied on: Envoy counts the metrics that were never used and does not write them, the size of the gauges is far too
// large (it doubles with each), and behind the last gauge is what the memory held before.
const BLOCK_HEAD: u32 = 12;
const COUNTERS: u32 = 1;
const GAUGES: u32 = 2;
/** What is asked for at once; nearly every metric fits. */
const PIECE: u32 = 512;
/** No name is longer. */
const LONGEST_NAME: u32 = 65536;

let context: u32 = 0;
let size: u32 = 0;
/** Where the next metric begins. */
let next: u32 = 0;
/** Where the counters end; 0 before they begin. */
let countersEnd: u32 = 0;
let gauges: bool = false;
/** How many metrics the block has left at most. */
let left: u32 = 0;
let nameStart: u32 = 0;
let nameSize: u32 = 0;
let value: u64 = 0;
let delta: u64 = 0;

/**
 * The statistics of the proxy at one time: `while (stats.next()) { stats.name … stats.value … }`. Only what was ever used
 * is there, in no particular order, counters first; histograms are not among them. For the time of the callback.
 */
@unmanaged
export class StatsUpdate {
  // There is no object behind it.

  /** The update of so many bytes that this root context is told of. @internal */
  static of(contextId: u32, bytes: u32): StatsUpdate {
    context = contextId;
    size = bytes;
    next = 0;
    countersEnd = 0;
    gauges = false;
    left = 0;
    return changetype<StatsUpdate>(1);
  }

  /** Goes to the next metric; `false` when there is none. */
  next(): bool {
    while (!left || (!gauges && next >= countersEnd)) {
      if (gauges || !beginBlock()) return false;
    }
    left--;
    return readMetric();
  }

  /** Whether this metric is a gauge; a counter otherwise. */
  get isGauge(): bool {
    return gauges;
  }

  /** Its full name, tags included: `cluster.web.upstream_rq_total`. Asks the host, so look at it once. */
  get name(): string {
    return ask(nameStart, nameSize) ? answerText() : "";
  }

  /** Its value. */
  get value(): u64 {
    return value;
  }

  /** What was added to a counter since the last update; 0 for a gauge. */
  get delta(): u64 {
    return delta;
  }
}

/** Reads the head of the counters, then that of the gauges behind them. */
function beginBlock(): bool {
  const start = countersEnd;
  gauges = start != 0;
  if (start > size || size - start < BLOCK_HEAD || !ask(start, BLOCK_HEAD)) return end();
  const head = load<usize>(answerData);
  if (load<u32>(head, 4) != (gauges ? GAUGES : COUNTERS)) return end();
  left = load<u32>(head, 8);
  next = start + BLOCK_HEAD;
  if (!gauges) countersEnd = load<u32>(head);
  return countersEnd >= BLOCK_HEAD || end();
}

function readMetric(): bool {
  const wanted = size - next < PIECE ? size - next : PIECE;
  if (wanted <= 4 || !ask(next, wanted)) return end();
  nameStart = next + 4;
  nameSize = load<u32>(load<usize>(answerData));
  if (!nameSize || nameSize > LONGEST_NAME) return end();
  const values = (nameStart + nameSize + 7) & ~7;
  const behind = values + (gauges ? 8 : 16);
  if (behind < next || behind > size || (!gauges && behind > countersEnd)) return end();
  if (behind - next > wanted && !ask(next, behind - next)) return end();
  const bytes = load<usize>(answerData);
  for (let i: u32 = 0; i < nameSize; i++) if (load<u8>(bytes + 4 + i) < 0x20) return end();
  value = load<u64>(bytes + (values - next));
  delta = gauges ? 0 : load<u64>(bytes + (values - next), 8);
  next = behind;
  return true;
}

/** What follows is no metric: nothing of this kind comes any more. */
function end(): bool {
  left = 0;
  gauges = true;
  return false;
}

/** Asks for `count` bytes from `start` on, all of them. */
function ask(start: u32, count: u32): bool {
  return focus(context) && askCallData(start, count) && load<usize>(answerSize) == count;
}
