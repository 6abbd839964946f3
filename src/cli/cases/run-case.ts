// Runs one case: a filter that has just been loaded, one stream, phase by phase.

import { LogLevel } from "../../../assembly/abi.ts";
import type { CalloutUpstream, CalloutUpstreams } from "../../callouts/callouts.ts";
import { EnvoyFault } from "../../error.ts";
import { type Filter, loadFilter } from "../../filter.ts";
import type { FilterStream, ReceivedMessage } from "../../filter-stream.ts";
import { UpstreamError } from "../../callouts/upstream.ts";
import { findCel } from "../find-cel.ts";
import type { Case, CaseAnswer, Cases, Expectation, Invocation } from "./cases.ts";
import { isTrue } from "./cases.ts";
import type { ValuePath } from "./document.ts";
import { bodyPieces, type Inputs } from "./inputs.ts";
import { compare, type Mismatch, type Outcome } from "./match.ts";

/** What a case is run with. */
export interface CaseOptions {
  readonly module: string;
  readonly config: string | Uint8Array;
  readonly env: Cases["env"];
  readonly inputs: Inputs;
}

/** Runs a case, which stands at this path, and gives what is not as expected. */
export async function runCase(test: Case, path: ValuePath, options: CaseOptions): Promise<Mismatch[]> {
  const { env = {}, module, config, inputs } = options;
  const filter = await loadFilter(module, {
    config,
    rootId: env.root_id ?? "",
    logLevel: LogLevel[capitalized(env.log_level ?? "TRACE")],
    ...(env.time_secs !== undefined && { now: new Date(env.time_secs * 1000) }),
    upstreams: upstreamsOf(test.clusters ?? {}),
    expressions: await findCel(module),
    properties: Object.fromEntries((test.properties ?? []).map(({ path: name, value }) => [name, value])),
  });
  const run = new CaseRun(filter, test, path, inputs);
  try {
    await run.all();
  } catch (error) {
    if (!(error instanceof EnvoyFault)) throw error;
    run.mismatches.push({ path, text: error.message });
  }
  if (filter.trap) run.mismatches.push({ path, text: filter.trap });
  return run.mismatches;
}

class CaseRun {
  readonly mismatches: Mismatch[] = [];
  readonly #filter: Filter;
  readonly #case: Case;
  readonly #path: ValuePath;
  readonly #inputs: Inputs;
  readonly #stream: FilterStream;
  /** What was there before the running phase. */
  #before = { logs: 0, callouts: 0, upstream: 0, response: 0 };

  constructor(filter: Filter, test: Case, path: ValuePath, inputs: Inputs) {
    this.#filter = filter;
    this.#case = test;
    this.#path = path;
    this.#inputs = inputs;
    this.#stream = filter.stream();
  }

  async all(): Promise<void> {
    const test = this.#case;
    const stream = this.#stream;
    await this.#expect(test.plugin_init, ["plugin_init"], () => this.#lifecycle(this.#filter.rootTrace.logs));
    const request = { body: (test.request_body ?? []).length > 0, trailers: test.request_trailers !== undefined };
    await this.#phase(test.request_headers ?? {}, ["request_headers"], "request", async ({ input }) => {
      const head = await this.#inputs.requestHead(input);
      stream.requestHeaders(head, { endStream: !request.body && !request.trailers });
    });
    await this.#expect(test.stream_init, ["stream_init"], () => this.#lifecycle(this.#logsOfCreation()));
    await this.#body("request", request.trailers);
    await this.#trailers("request", test.request_trailers);
    const response = { body: (test.response_body ?? []).length > 0, trailers: test.response_trailers !== undefined };
    if (test.response_headers || response.body || response.trailers) {
      await this.#phase(test.response_headers ?? {}, ["response_headers"], "response", async ({ input }) => {
        const head = await this.#inputs.responseHead(input);
        stream.responseHeaders(head, { endStream: !response.body && !response.trailers });
      });
      await this.#body("response", response.trailers);
      await this.#trailers("response", test.response_trailers);
    }
    const logged = stream.logs.length;
    if (!stream.ended) stream.reset();
    const from = test.response_headers ? this.#lastLogs() : logged;
    await this.#expect(test.stream_destroy, ["stream_destroy"], () => this.#lifecycle(stream.logs.slice(from)));
  }

  async #body(which: "request" | "response", trailers: boolean): Promise<void> {
    const invocations = this.#case[`${which}_body`] ?? [];
    for (const [i, invocation] of invocations.entries()) {
      const isLast = i === invocations.length - 1 && !trailers;
      await this.#phase(invocation, [`${which}_body`, i], which, async ({ input }) => {
        const pieces = bodyPieces(await this.#inputs.body(input), this.#case);
        for (const [j, piece] of pieces.entries()) {
          const endStream = isLast && j === pieces.length - 1;
          if (this.#stream.ended) return;
          if (which === "request") this.#stream.requestBody(piece, { endStream });
          else this.#stream.responseBody(piece, { endStream });
        }
      });
    }
  }

  async #trailers(which: "request" | "response", invocation: Invocation | undefined): Promise<void> {
    if (!invocation) return;
    await this.#phase(invocation, [`${which}_trailers`], which, async ({ input }) => {
      const trailers = await this.#inputs.trailers(input);
      if (which === "request") this.#stream.requestTrailers(trailers);
      else this.#stream.responseTrailers(trailers);
    });
  }

  /** Lets something arrive, waits for what follows of it, and compares. */
  async #phase(
    invocation: Invocation,
    path: ValuePath,
    which: "request" | "response",
    arrive: (invocation: Invocation) => Promise<void>,
  ): Promise<void> {
    const stream = this.#stream;
    this.#before = {
      logs: stream.logs.length,
      callouts: stream.callouts.length,
      upstream: stream.upstream.body.length,
      response: stream.response.body.length,
    };
    // A stream that is over, because the filter has answered, has no phases any more.
    const wasOver = stream.ended || (which === "request" && stream.localReply !== null);
    if (!wasOver) {
      await arrive(invocation);
      await this.#filter.settle();
    }
    await this.#expect(invocation.result, [...path, "result"], () => this.#outcome(which, path));
  }

  #outcome(which: "request" | "response", path: ValuePath): Outcome {
    const stream = this.#stream;
    const reply = stream.localReply ?? undefined;
    const out: ReceivedMessage = which === "request" && !reply ? stream.upstream : stream.response;
    const from = which === "request" && !reply ? this.#before.upstream : this.#before.response;
    const isTrailers = String(path[0]).endsWith("trailers") && !reply;
    const headers = isTrailers ? out.trailers : out.headers;
    return {
      headers: headers.size ? headers : undefined,
      body: new TextDecoder().decode(out.body.subarray(from)),
      reply: reply && { status: reply.status, grpcStatus: reply.grpcStatus, details: reply.details },
      logs: stream.logs.slice(this.#before.logs).map(({ message }) => message),
      paused: stream.paused !== null,
      callouts: stream.callouts.slice(this.#before.callouts).map(({ request }) => request),
    };
  }

  #lifecycle(logs: readonly { message: string }[]): Outcome {
    const nothing = { headers: undefined, body: "", reply: undefined, paused: false, callouts: [] };
    return { ...nothing, logs: logs.map(({ message }) => message) };
  }

  /** What was logged when the context was made. */
  #logsOfCreation(): { message: string }[] {
    const { events } = this.#stream.trace;
    const begin = events.findIndex((event) => event.kind === "callback");
    const end = events.findIndex((event, i) => i > begin && event.kind === "callback");
    return events.slice(begin, end < 0 ? undefined : end).flatMap((event) => (event.kind === "log" ? [event] : []));
  }

  /** How many lines were logged before the stream ended. */
  #lastLogs(): number {
    const { events } = this.#stream.trace;
    const end = events.findIndex((event) => event.kind === "callback" && /_on_(log|done|delete)$/.test(event.name));
    return events.slice(0, end < 0 ? undefined : end).filter((event) => event.kind === "log").length;
  }

  async #expect(expected: Expectation | undefined, path: ValuePath, outcome: () => Outcome): Promise<void> {
    if (!expected) return;
    const found = await compare(expected, outcome(), [...this.#path, ...path], (file) => this.#inputs.text(file));
    this.mismatches.push(...found);
  }
}

/** Answers one after the other; the last one stays. */
function upstreamsOf(clusters: NonNullable<Case["clusters"]>): CalloutUpstreams {
  const answerer = (answers: readonly CaseAnswer[]): CalloutUpstream => {
    let next = 0;
    return () => {
      const { status, header, body, failure } = answers[Math.min(next++, answers.length - 1)]!;
      if (isTrue(failure)) throw new UpstreamError();
      return {
        ...(status !== undefined && { status }),
        headers: (header ?? []).map(({ key, value }) => [key, String(value)] as const),
        ...(body !== undefined && { body }),
      };
    };
  };
  return Object.fromEntries(Object.entries(clusters).map(([name, answers]) => [name, answerer(answers)]));
}

type LevelName = "Trace" | "Debug" | "Info" | "Warn" | "Error" | "Critical";

function capitalized(level: string): LevelName {
  return (level[0]! + level.slice(1).toLowerCase()) as LevelName;
}
