// An exchange in one line.

import { decodeText } from "../../encoding/bytes.ts";
import type { Exchange } from "../../serve/observer.ts";

/** Method, path, status, size, time, and why when the upstream did not answer. */
export function exchangeLine({ method, path, status, bytes, milliseconds, details }: Exchange): string {
  const why = details === "via_upstream" || !details ? "" : ` (${decodeText(details)})`;
  return `${method} ${decodeText(path)} → ${status || "closed"}, ${bytes} bytes, ${milliseconds.toFixed(1)} ms${why}`;
}
