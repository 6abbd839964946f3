// Headers that mean a proxy or a connection of it, and not the message.

import type { ByteString } from "../encoding/bytes.ts";

/** What those who share an upgraded connection say to each other. */
export const upgradeHeaders: readonly ByteString[] = ["connection", "upgrade"];

/** What means a connection of HTTP/1. */
export const connectionHeaders: ReadonlySet<ByteString> = new Set([
  ...upgradeHeaders,
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
]);

/** What filters tell Envoy's router. */
export const routerHeaders: ReadonlySet<ByteString> = new Set(
  (
    "x-envoy-hedge-on-per-try-timeout x-envoy-max-retries x-envoy-retriable-header-names x-envoy-retriable-status-codes " +
    "x-envoy-retry-grpc-on x-envoy-retry-on x-envoy-upstream-alt-stat-name x-envoy-upstream-rq-per-try-timeout-ms " +
    "x-envoy-upstream-rq-timeout-alt-response x-envoy-upstream-rq-timeout-ms"
  ).split(" "),
);

/** What tells Envoy how to treat a request, and counts from nobody outside. */
export const internalHeaders: ReadonlySet<ByteString> = new Set([
  ...routerHeaders,
  ..."x-envoy-expected-rq-timeout-ms x-envoy-force-trace x-envoy-internal x-envoy-ip-tags x-envoy-original-url".split(
    " ",
  ),
  ..."x-envoy-upstream-stream-duration-ms x-forwarded-client-cert".split(" "),
]);
