// One exchange with a server: bounded in time and in bytes, repeated when that may help, explained when it fails.

import { setTimeout as sleep } from "node:timers/promises";

import { ImageError } from "./error.ts";
import { redact } from "./redact.ts";

/** The standard `fetch`, or one that goes through a proxy. */
export type Fetch = typeof fetch;

/** How servers are talked to. */
export interface HttpOptions {
  readonly fetch: Fetch;
  /** The proxy that a request to a server goes through, when there is one; without it, there is none for any. */
  readonly proxyFor?: (url: URL) => URL | undefined;
  /** Milliseconds until an answer must be there; what it carries may take longer, in proportion to its size. */
  readonly timeoutMs: number;
  /** Ends everything. */
  readonly signal: AbortSignal;
  /** Texts that must never be shown. */
  readonly secrets: Set<string>;
  /** Told of every repetition, as a sentence. */
  readonly onRetry: (why: string) => void;
}

/** What is sent. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Bytes that the answer may have; what is longer is an error. Without it, nobody reads what it carries. */
  readonly limit?: number;
  /** Bytes that the answer will have, for which it gets time. */
  readonly size?: number;
  /** Whether it can be sent again; true without. */
  readonly repeatable?: boolean;
}

/** What came back, whole. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** Where it came from. */
  readonly url: URL;
}

const ATTEMPTS = 5;
const MAX_DELAY_MS = 60_000;
const ERROR_BYTES = 64 << 10;
/** What a connection carries at least, per second. */
const SLOWEST_BYTES = 16 << 10;

/** Something went wrong that may go well the next time. */
class Passing extends ImageError {
  readonly delayMs: number | undefined;
  constructor(message: string, delayMs?: number, cause?: unknown) {
    super(message, { cause });
    this.delayMs = delayMs;
  }
}

/** Sends a request, up to five times when the server is busy or the connection breaks. Redirects are not followed. */
export async function exchange(request: HttpRequest, options: HttpOptions): Promise<HttpResponse> {
  if (request.repeatable === false) return exchangeOnce(request, options);
  return repeat(options, () => exchangeOnce(request, options));
}

/** Does something again, up to five times in all, after ever longer pauses, while what goes wrong may pass. */
export async function repeat<T>({ signal, onRetry }: HttpOptions, action: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof Passing) || attempt === ATTEMPTS) throw error;
      const delay = error.delayMs ?? 250 * 2 ** attempt;
      onRetry(`${error.message}; once more in ${(delay / 1000).toFixed(1)} s`);
      await sleep(delay, undefined, { signal }).catch(() => {
        throw interrupted(signal);
      });
    }
  }
}

async function exchangeOnce(request: HttpRequest, options: HttpOptions): Promise<HttpResponse> {
  const { url, limit } = request;
  const bytes = (request.body?.length ?? 0) + (request.size ?? 0);
  const allowance = Math.ceil(options.timeoutMs + (bytes / SLOWEST_BYTES) * 1000);
  const timeout = AbortSignal.timeout(allowance);
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, timeout]);
  // Not `any` of this one too: it would be nobody's who listens, and the process would end without a word.
  const onAbort = (): void => stop.abort();
  options.signal.addEventListener("abort", onAbort);
  try {
    if (options.signal.aborted) onAbort();
    const response = await options.fetch(url, {
      method: request.method,
      redirect: "manual",
      headers: { "user-agent": "proxy-wasm", ...request.headers },
      signal,
      ...(request.body !== undefined && { body: request.body as BodyInit }),
    });
    const isWanted = response.ok && limit !== undefined;
    const body = await readBody(response, isWanted ? limit : ERROR_BYTES, url, isWanted);
    const answer = { status: response.status, headers: response.headers, body, url };
    if (response.status === 429 || response.status >= 500) {
      throw new Passing(refusalText(request, answer, options.secrets), retryAfter(response.headers));
    }
    return answer;
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw interrupted(options.signal) ?? explain(error, url, options, timeout.aborted ? allowance : undefined);
  } finally {
    options.signal.removeEventListener("abort", onAbort);
  }
}

function interrupted(signal: AbortSignal): ImageError | undefined {
  return signal.aborted ? new ImageError("interrupted") : undefined;
}

/** Reads up to `limit` bytes. What is longer is an error when `strict`, otherwise it is cut off. */
async function readBody(response: Response, limit: number, url: URL, strict: boolean): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk as Uint8Array);
    length += chunk.length;
    if (length <= limit) continue;
    // Leaving the loop cancels the rest.
    if (strict)
      throw new ImageError(`${url.host} sends more than the ${limit} bytes that were expected (${where(url)})`);
    break;
  }
  return Buffer.concat(chunks).subarray(0, Math.max(limit, 0));
}

function retryAfter(headers: Headers): number | undefined {
  const value = headers.get("retry-after");
  if (value === null) return undefined;
  const delay = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(delay) ? Math.min(Math.max(delay, 0), MAX_DELAY_MS) : undefined;
}

/** A URL without what may be secret in it. */
function where(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** Says that a server refused something, with its own reason. */
export function refusalText(request: HttpRequest, response: HttpResponse, secrets: ReadonlySet<string>): string {
  // What is secret goes first: afterwards it might be cut in two.
  const reason = printable(redact(reasonIn(response), secrets));
  const text = `${response.url.host} answered ${response.status} to ${request.method} ${where(response.url)}`;
  return reason ? `${text}: ${reason}` : text;
}

/** What an error document of the distribution specification says, or that it is another page. */
function reasonIn({ body, headers }: HttpResponse): string {
  const text = new TextDecoder().decode(body).trim();
  if (/^text\/html/i.test(headers.get("content-type") ?? "") || text.startsWith("<")) {
    return "an HTML page; no registry's API is there";
  }
  try {
    const { errors } = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[] };
    const reasons = errors!.map(({ code, message }) => [code, message].filter(Boolean).join(": "));
    return reasons.join("; ");
  } catch {
    return text;
  }
}

/** Text of a stranger for a terminal: one line, no control characters, not long. */
function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

/** What `fetch` throws, as a sentence that names the remedy. */
function explain(error: unknown, url: URL, options: HttpOptions, timedOutMs: number | undefined): ImageError {
  const proxy = options.proxyFor?.(url);
  const peer = proxy ? `the proxy ${proxy.host}` : url.host;
  if (timedOutMs !== undefined) {
    const seconds = Math.round(timedOutMs / 100) / 10;
    return new ImageError(`${peer} took longer than ${seconds} s to answer; --timeout gives it more`);
  }
  const cause = (error as Error).cause as (NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] }) | undefined;
  const code = cause?.code ?? cause?.errors?.[0]?.code ?? "";
  const reason = printable(redact(cause?.message || (error as Error).message, options.secrets));
  if (reason === "bad port") {
    return new ImageError(`${url.host} has a port that is no web server's by the Fetch standard; choose another`);
  }
  const refused = proxy && proxyStatus(error);
  if (refused) return new ImageError(proxyRefusal(proxy, url, refused), { cause: error });
  if (code === "ECONNREFUSED") return new ImageError(`nothing listens on ${peer}`, { cause: error });
  if (code === "ENOTFOUND") {
    return new ImageError(`there is no host ${proxy ? `${proxy.hostname}, the proxy` : url.hostname}`, {
      cause: error,
    });
  }
  if (/CERT|SELF_SIGNED|LEAF_SIGNATURE|ALTNAME/.test(code)) {
    const remedy = "name its authority's file in NODE_EXTRA_CA_CERTS, or give --insecure";
    return new ImageError(`the certificate of ${url.host} is not trusted (${reason}): ${remedy}`, { cause: error });
  }
  if (/SSL|EPROTO/.test(code)) {
    return new ImageError(`${url.host} does not speak TLS (${code}); --plain-http talks to it without`, {
      cause: error,
    });
  }
  if (/HPE_|UND_ERR_(INVALID|HEADERS_OVERFLOW|REQ_CONTENT)/.test(code)) {
    return new ImageError(`${url.host} does not speak HTTP as a registry does (${reason})`, { cause: error });
  }
  return new Passing(`the connection to ${peer} broke (${reason})`, undefined, error);
}

/** What a proxy answered that did not let us through; undici says so in one of the causes. */
function proxyStatus(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const said = /^Proxy (?:response|Authentication Required) \((\d+)\)/.exec(error.message);
  return said ? Number(said[1]) : proxyStatus(error.cause);
}

/** Says that it is the proxy that lets nothing through. */
function proxyRefusal(proxy: URL, url: URL, status: number): string {
  const why = status === 407 ? "it wants another login than its URL has" : "NO_PROXY names what is reached without it";
  return `the proxy ${proxy.host} answered ${status} in place of ${url.host}: ${why}`;
}
