// Texts behind one another, for the runtime `proxy-wasm`: what transform.mjs makes of a row of `+`.

/// <reference path="./runtime.d.ts" />

import { sizeOf } from "./utf8";

/** The four texts as one. */
export function join(a: string, b: string, c: string, d: string): string {
  const first = sizeOf(changetype<usize>(a));
  const second = sizeOf(changetype<usize>(b));
  const third = sizeOf(changetype<usize>(c));
  const fourth = sizeOf(changetype<usize>(d));
  const text = __new(first + second + third + fourth, idof<string>());
  memory.copy(text, changetype<usize>(a), first);
  let at = text + first;
  memory.copy(at, changetype<usize>(b), second);
  at += second;
  memory.copy(at, changetype<usize>(c), third);
  memory.copy(at + third, changetype<usize>(d), fourth);
  return changetype<string>(text);
}
