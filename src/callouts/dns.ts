// The names that a filter can ask the proxy for, and what the proxy answers.
// Source: Envoy source/extensions/common/wasm/wasm.cc (resolve_dns) and context.cc (onResolveDns); a running Envoy 1.40.

import { bytesOf, encodeText } from "../encoding/bytes.ts";
import { isIPv4, isIPv6 } from "../encoding/ip.ts";
import type { UpstreamWork } from "../upstream-work.ts";

/** An address that a name stands for. */
export interface DnsAddress {
  /** An IPv4 or IPv6 address, without port. */
  readonly address: string;
  /** For how many seconds it holds; 0 by default. */
  readonly ttlSeconds?: number;
}

/** What a name stands for: no address when there is no such name, `null` when nobody could be asked. */
export type DnsAnswer = readonly (string | DnsAddress)[] | null;

/** The names that can be resolved, by name, or a function that answers for all. A name that is not given does not exist. */
export type DnsNames = Readonly<Record<string, DnsAnswer>> | ((name: string) => DnsAnswer | Promise<DnsAnswer>);

/** Resolves names without reaching any network. */
export class Resolver {
  readonly #names: DnsNames;
  readonly #work: UpstreamWork;

  constructor(names: DnsNames, work: UpstreamWork) {
    this.#names = names;
    this.#work = work;
    // What is wrong shows before anybody asks.
    if (typeof names !== "function") for (const answer of Object.values(names)) encodeAnswer(answer);
  }

  /** Answers with the bytes that a filter reads: within the call where Envoy needs to ask nobody, later otherwise. */
  resolve(name: string, answer: (bytes: Uint8Array) => void): void {
    const known = answerAtOnce(name);
    if (known !== undefined) return answer(encodeAnswer(known));
    this.#work.start(async () => answer(encodeAnswer(await this.#find(name))));
  }

  #find(name: string): DnsAnswer | Promise<DnsAnswer> {
    if (typeof this.#names === "function") return this.#names(name);
    return Object.hasOwn(this.#names, name) ? this.#names[name]! : [];
  }
}

/** What is an address or no name is known without asking; so is this machine. */
function answerAtOnce(name: string): DnsAnswer | undefined {
  if (isIPv4(name) || isIPv6(name)) return [name];
  if (name === "localhost") return ["::1"];
  return /^[\w.*/-]*$/.test(name) ? undefined : null;
}

/** The number of addresses, the seconds of each, the texts of each with the port 0, ended by NUL; nothing for a failure. */
function encodeAnswer(answer: DnsAnswer): Uint8Array {
  if (!answer) return new Uint8Array();
  const addresses = answer.map((one): DnsAddress => (typeof one === "string" ? { address: one } : one));
  const texts = bytesOf(encodeText(addresses.map(({ address }) => `${withPort(address)}\0`).join("")));
  const bytes = new Uint8Array(4 + 4 * addresses.length + texts.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of [addresses.length, ...addresses.map(({ ttlSeconds = 0 }) => ttlSeconds)].entries()) {
    view.setUint32(4 * i, value, true);
  }
  bytes.set(texts, bytes.length - texts.length);
  return bytes;
}

function withPort(address: string): string {
  if (isIPv4(address)) return `${address}:0`;
  if (isIPv6(address)) return `${new URL(`http://[${address}]`).hostname}:0`;
  throw new TypeError(
    `${JSON.stringify(address)} among the answers of dns is no IP address: "192.0.2.1", "2001:db8::1"`,
  );
}
