// Joins the parts of a longer text at once. asc makes a new string for every `+` in `"host " + host + " path " + path`,
// each with a copy of the one before.

import {
  BinaryExpression,
  DecoratorKind,
  DecoratorNode,
  Node,
  SourceKind,
  StringLiteralExpression,
  Token,
} from "assemblyscript";
import { libraryFiles } from "assemblyscript/asc";

/** The runtime that has what joins four texts; see library.mjs. */
const RUNTIME = "~lib/rt/index-proxy-wasm";
const JOIN = "__proxy_wasm_join";
const MOST = 4;

/** Rewrites the author's sources. Where a class has a `+` of its own everything stays as it is. */
export function joinTexts(sources) {
  if (!sources.some(({ internalPath }) => internalPath === RUNTIME)) return;
  const own = sources.filter(({ sourceKind }) => sourceKind === SourceKind.User || sourceKind === SourceKind.UserEntry);
  const written = sources.filter(({ internalPath }) => !Object.hasOwn(libraryFiles, internalPath.replace("~lib/", "")));
  if (written.some(({ statements }) => definesPlus(statements))) return;
  for (const { statements } of own) rewrite(statements);
}

/** Whether a node or a list of nodes holds a class that says what `+` is. */
function definesPlus(parent) {
  return Object.values(parent).some((child) => {
    if (!(child instanceof Node)) return Array.isArray(child) && definesPlus(child);
    return isPlus(child) || definesPlus(child);
  });
}

function isPlus(node) {
  if (!(node instanceof DecoratorNode)) return false;
  const { decoratorKind: kind, args } = node;
  return (kind === DecoratorKind.Operator || kind === DecoratorKind.OperatorBinary) && args?.[0]?.value === "+";
}

/** Rewrites what there is in a node or in a list of nodes. */
function rewrite(parent) {
  for (const [name, child] of Object.entries(parent)) {
    if (child instanceof Node) parent[name] = rewritten(child);
    else if (Array.isArray(child)) rewrite(child);
  }
}

function rewritten(node) {
  const parts = textsOf(node);
  const isLong = parts.length > 2;
  rewrite(isLong ? parts : node);
  return isLong ? joined(parts, node.range) : node;
}

/** The operands of a row of `+`; none when they may be something else than texts. */
function textsOf(node) {
  const parts = [];
  let left = node;
  for (; left instanceof BinaryExpression && left.operator === Token.Plus; left = left.left) parts.unshift(left.right);
  parts.unshift(left);
  return parts.slice(0, 2).some((part) => part instanceof StringLiteralExpression) ? parts : [];
}

function joined([...parts], range) {
  while (parts.length > 2) {
    const some = parts.splice(0, MOST);
    while (some.length < MOST) some.push(Node.createStringLiteralExpression("", range));
    const join = Node.createIdentifierExpression(JOIN, range);
    parts.unshift(Node.createCallExpression(join, null, some, range));
  }
  const [left, right] = parts;
  return right ? Node.createBinaryExpression(Token.Plus, left, right, range) : left;
}
