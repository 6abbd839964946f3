// Every scenario, by group. The groups are those of what was observed of a running Envoy.

import type { Scenario } from "../scenario.ts";
import { blind } from "./blind.ts";
import { bodies } from "./bodies.ts";
import { callouts } from "./callouts.ts";
import { corrections } from "./corrections.ts";
import { expressions } from "./expressions.ts";
import { foreign } from "./foreign.ts";
import { generated } from "./generated.ts";
import { headers } from "./headers.ts";
import { lifecycle } from "./lifecycle.ts";
import { loading } from "./loading.ts";
import { localReply } from "./local-reply.ts";
import { metrics } from "./metrics.ts";
import { properties } from "./properties.ts";
import { retries } from "./retries.ts";
import { shared } from "./shared.ts";
import { streams } from "./streams.ts";
import { target } from "./target.ts";
import { connections } from "./tcp.ts";
import { time } from "./time.ts";
import { wire } from "./wire.ts";
import { http2 } from "./http2.ts";

export const groups: Readonly<Record<string, readonly Scenario[]>> = {
  corrections,
  lifecycle,
  headers,
  bodies,
  "local-reply": localReply,
  callouts,
  properties,
  metrics,
  shared,
  time,
  loading,
  foreign,
  expressions,
  streams,
  tcp: connections,
  blind,
  wire,
  target,
  retries,
  http2,
  generated,
};
