// What `serve` does: loads the filters, listens, tells what happens, and ends in order.

import { relative } from "node:path";

import { toBytes, toText } from "../../encoding/bytes.ts";
import { connectTo } from "../../serve/connect.ts";
import { ExchangeRecord, type RecordListener } from "../../serve/record.ts";
import { type RunningServer, serve } from "../../serve/server.ts";
import { makeColors } from "../colors.ts";
import { CommandError } from "../errors.ts";
import { type FilterSpec, filterSpecs, readConfig } from "../filter-flags.ts";
import { findCel } from "../find-cel.ts";
import { Exchanges } from "../inspector/exchanges.ts";
import { inspect, type RunningInspector } from "../inspector/server.ts";
import type { TestedFilter } from "../inspector/test-source.ts";
import { logLevels } from "../log-levels.ts";
import { passedByTexts } from "../modules.ts";
import { printableLines } from "../printable.ts";
import { listenText } from "../reasons.ts";
import { compilesInVitest, sourceOf } from "../rebuild/projects.ts";
import { Rebuild } from "../rebuild/rebuild.ts";
import type { ServeFlags } from "./flags.ts";
import { aborted, type Streams } from "../streams.ts";
import { ServedFilters } from "./proxy.ts";
import { Report } from "./report.ts";
import { TraceJson } from "./trace-json.ts";
import { TraceLines } from "./trace-lines.ts";

/** Milliseconds that exchanges under way have to end, once the command is to stop. */
const PATIENCE_MS = 3000;

/** Runs the command until it is told to stop. */
export async function run(modules: readonly string[], flags: ServeFlags, streams: Streams): Promise<void> {
  const specs = filterSpecs(modules, flags);
  const report = new Report(streams, flags);
  const listeners: RecordListener[] = [];
  const tracer = makeTracer(flags, streams);
  if (tracer) listeners.push(tracer);
  const rebuild = new Rebuild(specs, {
    compiling: (module) => report.note(`Compiling ${module} …`),
    messages: (text) => void streams.stderr.write(printableLines(text)),
    failed: (text) => report.warn(text),
    load: (what, since) => reload(what, since),
  });
  await rebuild.prepare();
  const filters = await ServedFilters.load({
    specs,
    clusters: flags.cluster,
    failurePolicy: flags.failurePolicy,
    logLevel: logLevels[flags.logLevel],
    // They stand in the trace.
    ...(!tracer && {
      onLog: (...line) => report.log(...line),
      onRefusal: (...refusal) => report.refusal(...refusal),
    }),
    onClusterFailure: (cluster, url, error) => report.failed(`cluster ${cluster}`, url, error),
    onStopped: () => {
      report.traps(filters.traps);
      report.breaking(server.open);
      server.destroy();
    },
    onError: (error) => report.error(error),
  });
  const exchanges = flags.inspect === undefined ? undefined : new Exchanges(() => filters.traps);
  if (exchanges) listeners.push(exchanges);
  const observe = observer(filters, tracer, listeners);
  const passedBy = await passedByTexts(specs);
  const server = await listen(filters, flags, report, observe);
  // Whoever reads how to stop it may do so at once.
  const stopped = aborted(streams.signal);
  report.serving(
    server.url,
    specs.map(({ module }) => module),
    flags,
  );
  for (const text of passedBy) report.warn(text);
  const inspector = exchanges && (await startInspector(exchanges, { flags, specs, server, filters }));
  if (inspector) report.inspector(inspector.url, inspector.metricsUrl);
  const reload = async (what: string, since: () => number): Promise<void> => {
    try {
      await filters.reload();
      server.use(filters.chain);
      report.note(`Loaded again, ${Math.round(since())} ms after the change of ${what}.`);
    } catch (error) {
      report.warn(`${(error as Error).message.replace(/\.$/, "")}; what was loaded before serves on`);
    }
  };
  if (flags.watch) rebuild.watch();
  await stopped;
  await inspector?.close();
  await end(server, report);
  await rebuild.close();
  filters.close();
}

type Tracer = TraceLines | TraceJson;

function makeTracer({ trace, json }: ServeFlags, { stdout, isTerminal, color }: Streams): Tracer | undefined {
  if (!trace && !json) return undefined;
  const write = (text: string): void => void stdout.write(text);
  return json || !isTerminal ? new TraceJson(write) : new TraceLines(write, makeColors(color?.stdout));
}

/** Makes a record of each exchange for those who look at them; undefined when nobody does. */
function observer(
  filters: ServedFilters,
  tracer: Tracer | undefined,
  listeners: readonly RecordListener[],
): (() => ExchangeRecord) | undefined {
  if (!listeners.length) return undefined;
  let count = 0;
  const all: RecordListener = {
    changed: (record) => listeners.forEach((listener) => listener.changed(record)),
    ended: (record) => listeners.forEach((listener) => listener.ended(record)),
  };
  const known = new WeakSet<object>();
  const followRoots = (): void => {
    for (const [name, trace] of filters.rootTraces) {
      if (!tracer || known.has(trace)) continue;
      known.add(trace);
      for (const event of trace.events) tracer.root(name, event);
      trace.listen((event) => tracer.root(name, event));
    }
  };
  followRoots();
  return () => {
    // A filter that was loaded again has another root context.
    followRoots();
    return new ExchangeRecord(++count, all);
  };
}

async function listen(
  filters: ServedFilters,
  { port, host, upstream }: ServeFlags,
  report: Report,
  observe: (() => ExchangeRecord) | undefined,
): Promise<RunningServer> {
  try {
    return await serve(filters.chain, {
      port,
      host,
      ...(upstream && { upstream: connectTo(upstream, (error) => report.failed("upstream", upstream, error)) }),
      ...(observe && { observe }),
      onExchange: (exchange) => {
        report.exchange(exchange);
        report.traps(filters.traps);
      },
      onError: (error) => report.error(error),
    });
  } catch (error) {
    filters.close();
    throw new CommandError(listenText(error as NodeJS.ErrnoException, port, host));
  }
}

async function startInspector(
  exchanges: Exchanges,
  {
    flags,
    specs,
    server,
    filters,
  }: { flags: ServeFlags; specs: FilterSpec[]; server: RunningServer; filters: ServedFilters },
): Promise<RunningInspector> {
  const port = typeof flags.inspect === "number" ? flags.inspect : 0;
  try {
    return await inspect({
      port,
      exchanges,
      target: server.url,
      folder: process.cwd(),
      filters: () => Promise.all(specs.map(testedFilter)),
      metrics: () => filters.proxy.metrics.list(),
    });
  } catch (error) {
    server.destroy();
    await server.close();
    filters.close();
    throw new CommandError(listenText(error as NodeJS.ErrnoException, port, "127.0.0.1", "--inspect"));
  }
}

/** A filter as the project's tests load it. */
async function testedFilter(spec: FilterSpec): Promise<TestedFilter> {
  const { module, name, rootId } = spec;
  const source = (await compilesInVitest(process.cwd())) ? await sourceOf(module) : undefined;
  return {
    module: fromHere(module),
    source: source === undefined ? undefined : fromHere(source),
    name,
    rootId,
    expressions: (await findCel(module)) !== undefined,
    config: toText(toBytes(await readConfig(spec))),
  };
}

function fromHere(path: string): string {
  return relative("", path).replaceAll("\\", "/");
}

/** Lets exchanges under way end, for a while. */
async function end(server: RunningServer, report: Report): Promise<void> {
  const closed = server.close();
  const hurry = setTimeout(() => {
    report.breaking(server.open);
    server.destroy();
  }, PATIENCE_MS);
  if (server.open) report.waiting(server.open, PATIENCE_MS);
  await closed;
  clearTimeout(hurry);
}
