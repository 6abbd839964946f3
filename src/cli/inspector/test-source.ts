// An exchange as a test for vitest. Every value is written as JSON, so that none of it can be code, and without
// credentials.

import { decodeText } from "../../encoding/bytes.ts";
import { headerChanges } from "../../serve/header-changes.ts";
import { MASK } from "../../serve/mask.ts";
import type { ExchangeRecord } from "../../serve/record.ts";
import type { RecordedCallout } from "../../serve/recorded-calls.ts";
import type { RecordedMessage } from "../../serve/recorded-message.ts";
import { UsageError } from "../errors.ts";
import { Literals } from "./literals.ts";

/** A filter as a test loads it. */
export interface TestedFilter {
  /** The path of the module, from the project. */
  readonly module: string;
  /** The path of its source, from the project, where vitest compiles what tests import with `?filter`; or undefined. */
  readonly source?: string | undefined;
  readonly name: string;
  readonly config: string;
  readonly rootId: string;
  /** Whether it has expressions evaluated. */
  readonly expressions: boolean;
}

/** The source of a test that repeats an exchange and expects the same. Throws when it cannot be repeated. */
export function testSource(record: ExchangeRecord, filters: readonly TestedFilter[], title: string): string {
  const { messages, result } = record;
  const request = messages["request received"];
  const [upstream, sent] = [messages["response received"], messages["response sent"]];
  if (!request || !sent || !result?.status)
    throw new UsageError("the exchange has no answer, so there is nothing to expect");
  if (request.get("upgrade") !== undefined)
    throw new UsageError("an exchange that changes its protocol cannot be repeated in a test");
  if (!request.whole || upstream?.whole === false || !record.hasAllCallouts) {
    throw new UsageError("the exchange or its callouts are too long: only their beginnings were kept");
  }
  const { callouts, upstreamFailure } = record;
  if (upstream && upstreamFailure) {
    throw new UsageError(`the upstream broke off its answer (${upstreamFailure}), so there is no whole one to expect`);
  }
  if (!upstream && /^(response|upstream_per_try)_timeout/.test(result.details)) {
    throw new UsageError("the upstream did not answer in time, which a test has no time to wait for");
  }
  if (result.details === "downstream_remote_disconnect") {
    throw new UsageError("the client did not wait for the answer, so there is no whole one to expect");
  }
  if (callouts.some(({ state }) => state === "reset")) {
    throw new UsageError("the answer to a callout was broken off, which a test written from it could not repeat");
  }
  const isChain = filters.length > 1;
  const write = new Literals(record.secrets);
  const imports = [
    isChain && "chain",
    "loadFilter",
    isChain && "ProxyState",
    upstreamFailure && "UpstreamError",
    callouts.length && "type UpstreamResponse",
  ];
  const names = filters.map((_, i) => (isChain ? `filter${i + 1}` : "filter"));
  const loads = filters.map((filter, i) => (filter.source === undefined ? json(filter.module) : names[i]!));
  const parts = [
    `import { ${imports.filter(Boolean).join(", ")} } from "proxy-wasm";`,
    ...(filters.some(({ expressions }) => expressions) ? ['import { cel } from "proxy-wasm/cel";'] : []),
    'import { expect, test } from "vitest";',
    'import "proxy-wasm/vitest";',
    ...filters.flatMap(({ source }, i) =>
      source === undefined ? [] : [`import ${names[i]} from ${json(`../${source}?filter`)};`],
    ),
    "",
    `test(${write.text(title)}, async () => {`,
    ...(callouts.length ? answersOf(callouts, write) : []),
    ...(isChain
      ? loadChain(filters, loads, callouts.length > 0, write)
      : [`  const loaded = await ${load(filters[0]!, loads[0]!, callouts.length ? ["upstreams"] : [], write)};`]),
    `  const response = await loaded.request(`,
    `    ${requestOf(request, write)},`,
    ...(upstream ? [`    { upstream: () => (${responseOf(upstream, write)}) },`] : []),
    ...(upstreamFailure
      ? [
          "    {",
          "      upstream: () => {",
          `        throw new UpstreamError(${json(upstreamFailure)});`,
          "      },",
          "    },",
        ]
      : []),
    "  );",
    `  expect(response).toHaveStatus(${Number(result.status)});`,
    ...expectations(record, write),
    "});",
  ];
  const isMasked = parts.some((part) => part.includes(MASK));
  if (isMasked)
    parts.splice(parts.indexOf("") + 1, 0, "// Credentials are masked: put in those that the filter is to see.");
  return `${parts.join("\n")}\n`;
}

function loadChain(
  filters: readonly TestedFilter[],
  loads: readonly string[],
  calls: boolean,
  write: Literals,
): string[] {
  return [
    `  const proxy = new ProxyState(${calls ? "{ upstreams }" : ""});`,
    "  const loaded = chain([",
    ...filters.map((filter, i) => `    await ${load(filter, loads[i]!, ["proxy"], write)},`),
    "  ]);",
  ];
}

/** Loads a filter; `from` is what stands for its module. */
function load(
  { name, config, rootId, expressions }: TestedFilter,
  from: string,
  shared: readonly string[],
  write: Literals,
): string {
  const options = [
    ...shared,
    `name: ${json(name)}`,
    ...(config ? [`config: ${write.text(config)}`] : []),
    ...(rootId ? [`rootId: ${json(rootId)}`] : []),
    ...(expressions ? ["expressions: cel"] : []),
  ];
  return `loadFilter(${from}, { ${options.join(", ")} })`;
}

/** The answers that callouts had, in their order, by cluster. */
function answersOf(callouts: readonly RecordedCallout[], write: Literals): string[] {
  const byCluster = new Map<string, string[]>();
  for (const { cluster, response } of callouts) {
    const answers = byCluster.get(cluster) ?? [];
    byCluster.set(cluster, answers);
    if (!response) {
      answers.push("null");
      continue;
    }
    const [headers, body] = [headersOf(response, write), write.body(response.body)];
    answers.push(`{ status: ${Number(response.get(":status"))}, headers: ${headers}, body: ${body} }`);
  }
  const lines = [...byCluster].map(([cluster, answers]) => `    ${json(cluster)}: [${answers.join(", ")}],`);
  const upstreams = [...byCluster.keys()].map(
    (cluster) => `${json(cluster)}: () => answers[${json(cluster)}]!.shift() ?? null`,
  );
  return [
    "  const answers: Record<string, (UpstreamResponse | null)[]> = {",
    ...lines,
    "  };",
    `  const upstreams = { ${upstreams.join(", ")} };`,
  ];
}

function requestOf(request: RecordedMessage, write: Literals): string {
  const value = (name: string): string => write.text(decodeText(request.get(name) ?? ""));
  const fields = [
    `method: ${value(":method")}`,
    `path: ${value(":path")}`,
    `authority: ${value(":authority")}`,
    `headers: ${headersOf(request, write)}`,
    ...(request.size ? [`body: ${write.body(request.body)}`] : []),
  ];
  return `{ ${fields.join(", ")} }`;
}

function responseOf(response: RecordedMessage, write: Literals): string {
  const fields = [`status: ${Number(response.get(":status"))}`, `headers: ${headersOf(response, write)}`];
  if (response.size) fields.push(`body: ${write.body(response.body)}`);
  return `{ ${fields.join(", ")} }`;
}

function headersOf({ headers }: RecordedMessage, write: Literals): string {
  return write.headers(
    headers.filter(([name]) => !isOwn(name)).map(([name, value]) => [decodeText(name), decodeText(value)]),
  );
}

/** What the filters made of it. */
function expectations({ messages }: ExchangeRecord, write: Literals): string[] {
  const [toUpstream, sent] = [messages["request sent"], messages["response sent"]!];
  const lines: string[] = [];
  for (const { kind, name, value } of headerChanges(messages["request received"], toUpstream)) {
    if (kind === "added" && !isOwn(name)) {
      const known = write.header(name, decodeText(value));
      const expected = known === undefined ? "not.toBeNull()" : `toBe(${known})`;
      lines.push(`  expect(response.upstream!.headers.get(${json(decodeText(name))})).${expected};`);
    }
  }
  if (!messages["response received"] && !toUpstream) lines.push(`  expect(response).toHaveRepliedLocally();`);
  const changes = messages["response received"]
    ? headerChanges(messages["response received"], sent)
    : sent.headers.map(([name, value]) => ({ kind: "added" as const, name, value }));
  for (const { kind, name, value } of changes) {
    if (isOwn(name)) continue;
    const known = write.header(name, decodeText(value));
    const header = json(decodeText(name));
    if (kind === "added")
      lines.push(`  expect(response).toHaveHeader(${header}${known === undefined ? "" : `, ${known}`});`);
    else if (!sent.headers.some(([other]) => other === name))
      lines.push(`  expect(response).not.toHaveHeader(${header});`);
  }
  if (sent.whole && sent.size) {
    const text = write.body(sent.body);
    lines.push(
      text.startsWith('"') ? `  expect(response).toHaveBody(${text});` : `  expect(response.body).toEqual(${text});`,
    );
  }
  return lines;
}

/** JSON, which is a literal of TypeScript, too. */
function json(value: string): string {
  return JSON.stringify(value);
}

/** What the proxy writes by itself, or is another one each time. */
function isOwn(name: string): boolean {
  return (
    name.startsWith(":") ||
    /^(connection|content-length|date|expect|keep-alive|server|transfer-encoding|x-request-id|x-forwarded-proto|x-envoy-.*)$/.test(
      name,
    )
  );
}
