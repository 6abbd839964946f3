// An exchange in one line.

import type { Exchange } from "../../serve/observer.ts";
import { readable } from "../../serve/record.ts";

/** Method, path, status, size, time, and why when the upstream did not answer. */
export function exchangeLine({ method, path, status, bytes, milliseconds, details }: Exchange): string {
  const why = details === "via_upstream" || !details ? "" : ` (${readable(details)})`;
  return `${method} ${readable(path)} → ${status || "closed"}, ${bytes} bytes, ${milliseconds.toFixed(1)} ms${why}`;
}
