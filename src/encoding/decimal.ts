// Numbers in text, as Envoy reads them (absl::SimpleAtoi).

/** The number that stands in a text, with blanks around it; undefined when none does that fits into so many bits. */
export function parseUnsigned(text: string, bits: number): bigint | undefined {
  const digits = /^\s*\+?0*(\d{1,20})\s*$/.exec(text)?.[1];
  const value = digits === undefined ? undefined : BigInt(digits);
  return value !== undefined && value < 1n << BigInt(bits) ? value : undefined;
}
