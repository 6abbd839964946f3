// Random filters that make, keep, change and forget objects of all kinds in every callback, and say in the log what they
// hold. Whatever the heap, the log must be the same.

import type { Random } from "./random-module.ts";

const HEAD = `
import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

class Node {
  next: Node | null = null;
  kids: Node[] = [];
  bytes: Uint8Array | null = null;
  constructor(public label: string) {}
  describe(depth: i32): string {
    let text = this.label + ":" + this.kids.length.toString();
    const bytes = this.bytes;
    if (bytes !== null) text += "b" + bytes.length.toString() + (bytes.length ? bytes[bytes.length - 1].toString() : "");
    if (depth == 0) return text;
    const next = this.next;
    if (next !== null) text += ">" + next.describe(depth - 1);
    for (let i = 0; i < this.kids.length && i < 3; i++) text += "(" + this.kids[i].describe(depth - 1) + ")";
    return text;
  }
}
class Nothing {}

class Things {
  text: string = "";
  texts: string[] = [];
  node: Node | null = null;
  names: Map<string, Node> = new Map<string, Node>();
  seen: Set<string> = new Set<string>();
  buffer: ArrayBuffer = new ArrayBuffer(0);
  nothing: Nothing | null = null;
  fixed: StaticArray<string> = new StaticArray<string>(0);
  describe(): string {
    const node = this.node;
    const keys = this.names.keys();
    let text = this.text.length.toString() + this.text.slice(-8) + "|" + this.texts.join(",").slice(-40) + "|";
    text += node === null ? "-" : node.describe(4);
    for (let i = 0; i < keys.length; i++) text += "|" + keys[i] + "=" + this.names.get(keys[i]).describe(1);
    text += "|" + this.seen.values().join("+") + "|" + this.buffer.byteLength.toString() + String.UTF8.decode(this.buffer);
    text += this.nothing === null ? "|" : "|!";
    for (let i = 0; i < this.fixed.length; i++) text += this.fixed[i];
    return text;
  }
}
const shared = new Things();
let held: usize = 0;
`;

/** A filter in AssemblyScript. */
export function randomObjects(random: Random): string {
  const callbacks = [
    ["onRequestHeaders(_count: u32, _endOfStream: bool): Action", "return Action.Continue;"],
    ["onResponseHeaders(_count: u32, _endOfStream: bool): Action", "return Action.Continue;"],
    ["onLog(): void", ""],
  ].map(([head, end]) => {
    const statements = Array.from({ length: 2 + random(10) }, () => statement(random, 2)).join("\n    ");
    return `  override ${head} {
    ${statements}
    logInfo(this.own.describe() + " / " + shared.describe());
    ${end}
  }`;
  });
  return `${HEAD}
class Filter extends HttpContext {
  own: Things = new Things();
${callbacks.join("\n")}
}
registerHttpContext(() => new Filter());
`;
}

function statement(random: Random, depth: number): string {
  const pick = <T>(things: readonly T[]): T => things[random(things.length)]!;
  const it = pick(["this.own", "shared"]);
  const text = (): string =>
    pick([
      `"${"abc".slice(0, random(4))}"`,
      `(${random(1000)}).toString()`,
      `${it}.text.slice(${random(4)})`,
      `"${"x".repeat(random(40))}".slice(${random(40)})`,
      `(this.requestHeaders.get("${pick([":path", "x-empty", "x-none"])}") || "none")!`,
      `"y".repeat(${random(200)})`,
    ]);
  const node = (): string => pick([`new Node(${text()})`, `${it}.node`, `new Node("")`]);
  const kinds: (() => string)[] = [
    () => `${it}.text = ${text()};`,
    () => `${it}.text += ${text()};`,
    () => `${it}.text = ${it}.text.slice(-50);`,
    () => `${it}.texts.push(${text()});`,
    () => `if (${it}.texts.length > ${random(20)}) ${it}.texts.splice(0, ${1 + random(10)});`,
    () => `${it}.texts = ${it}.texts.concat([${text()}]).slice(-20);`,
    () => `${it}.node = ${node()};`,
    () => `{ const old = ${it}.node; const made = new Node(${text()}); made.next = old; ${it}.node = made; }`,
    () => `{ const node = ${it}.node; if (node !== null) node.kids.push(new Node(${text()})); }`,
    () => `{ const node = ${it}.node; if (node !== null) node.kids = node.kids.slice(-2); }`,
    () =>
      `{ const node = ${it}.node; if (node !== null) node.bytes = new Uint8Array(${random(100)}).fill(${random(256)}); }`,
    () => `{ const node = ${it}.node; if (node !== null) node.next = null; }`,
    () => `${it}.node = null;`,
    () => `${it}.names.set(${text()}.slice(0, 2), new Node(${text()}));`,
    () => `if (${it}.names.size > ${random(8)}) ${it}.names.clear();`,
    () => `${it}.seen.add(${text()}.slice(0, 1));`,
    () => `if (${it}.seen.size > ${random(8)}) ${it}.seen = new Set<string>();`,
    () => `${it}.buffer = String.UTF8.encode(${text()});`,
    () => `${it}.buffer = new ArrayBuffer(0);`,
    () => `${it}.nothing = new Nothing();`,
    () => `${it}.fixed = [${text()}, ${text()}];`,
    () => `for (let i = 0; i < ${random(300)}; i++) ${it}.text = i.toString() + ${it}.text.slice(0, 10);`,
    () => `held = heap.realloc(held ? held : heap.alloc(${random(20)}), ${1 + random(500)});`,
    () => `if (held) { heap.free(held); held = 0; }`,
    () =>
      `{ const many: string[] = []; for (let i = 0; i < ${40 + random(80)}; i++) many.push((i * 7919 % 101).toString() + ${text()}); ` +
      `${it}.texts = many.sort((a, b) => { const l = a + "!", r = b + "!"; return l < r ? -1 : l > r ? 1 : 0; }).slice(-5); }`,
    () => `this.requestHeaders.copy();`,
    () => `__collect();`,
  ];
  if (depth > 0)
    kinds.push(
      () =>
        `for (let i = 0; i < ${random(5)}; i++) { ${statement(random, depth - 1)} ${statement(random, depth - 1)} }`,
    );
  return pick(kinds)();
}
