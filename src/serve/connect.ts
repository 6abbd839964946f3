// The upstream that a URL names.

import { http1Upstream } from "./http1-upstream.ts";
import { http2Upstream } from "./http2-upstream.ts";
import type { OnFailure, UpstreamConnector } from "./upstreams.ts";

/** The server at this URL: HTTP/1.1 for `http:` and `https:`, HTTP/2 without TLS for `h2c:`. */
export function connectTo(url: URL, onFailure: OnFailure = () => {}): UpstreamConnector {
  return url.protocol === "h2c:" ? http2Upstream(url, onFailure) : http1Upstream(url, onFailure);
}
