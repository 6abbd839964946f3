// YAML with comments, written so that readers of YAML 1.1 (Kubernetes) and of 1.2 read the same.

import { Document, isMap, type Node, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";

/** A value with a comment above it. */
class Noted {
  readonly text: string;
  readonly value: unknown;

  constructor(text: string, value: unknown) {
    this.text = text;
    this.value = value;
  }
}

/** Puts a comment above a value; there is none when the value is undefined. */
export function note(text: string, value: unknown): unknown {
  return value === undefined ? undefined : new Noted(text, value);
}

/** A document, below a comment about all of it. Members that are undefined are left out. */
export function writeYaml(comment: string, content: object): string {
  const text = new Document(nodeOf(content)).toString({ lineWidth: 0, indentSeq: true });
  return `${commentLines(comment)}${text.replace(unwritable, escaped)}`;
}

/** Line breaks and byte order marks to some readers, and what others refuse. `textOf` puts quotes around each of them. */
const unwritable = /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Lines of text as comments. */
export function commentLines(text: string): string {
  return text
    .split("\n")
    .map((line) => `# ${line}`.trimEnd() + "\n")
    .join("");
}

function nodeOf(value: unknown): Node {
  if (value instanceof Noted) {
    const node = nodeOf(value.value);
    node.commentBefore = value.text.replace(/^/gm, " ");
    return node;
  }
  if (Array.isArray(value)) {
    const list = new YAMLSeq();
    list.items = value.map(nodeOf);
    list.flow = !value.length;
    return list;
  }
  if (typeof value === "object" && value !== null) {
    const map = new YAMLMap();
    for (const [name, member] of Object.entries(value)) if (member !== undefined) map.items.push(pairOf(name, member));
    map.flow = !map.items.length;
    return map;
  }
  return typeof value === "string" ? textOf(value) : new Scalar(value);
}

function pairOf(name: string, member: unknown): Pair<Node, Node> {
  const [key, value] = [textOf(name), nodeOf(member)];
  if (!(member instanceof Noted)) return new Pair(key, value);
  key.commentBefore = value.commentBefore!;
  if (isMap(value) || value.commentBefore) value.commentBefore = null;
  return new Pair(key, value);
}

/** Text, in quotes unless it is plain for every reader: `on` is a boolean to some, `1e3` and `0o17` numbers. */
function textOf(text: string): Scalar {
  const scalar = new Scalar(text);
  const isPlain = /^[a-zA-Z_/][\w./@-]*(:[\w./@-]+|:\/\/[\w./@-]+)*$/.test(text);
  const isWord = /^(y|n|yes|no|on|off|true|false|null|nan|inf)$/i.test(text);
  const isSimple = /^[ -~]*$/.test(text) && text.includes('"');
  scalar.type = isPlain && !isWord ? Scalar.PLAIN : isSimple ? Scalar.QUOTE_SINGLE : Scalar.QUOTE_DOUBLE;
  return scalar;
}
