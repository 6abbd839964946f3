// HPACK, both ways: what is written is a list of literals that nobody indexes, what is read may be anything.
// Strings are ByteStrings. Source: RFC 7541.

type Entry = readonly [name: string, value: string];

/** A header block of literals that nobody indexes. */
export function headerBlock(entries: readonly Entry[]): Buffer {
  return Buffer.concat(entries.flatMap(([name, value]) => [Buffer.of(0), ...literal(name), ...literal(value)]));
}

function literal(text: string): Buffer[] {
  return [integer(Buffer.byteLength(text, "latin1"), 7), Buffer.from(text, "latin1")];
}

/** A number that begins in the last bits of a byte, the others of which are 0. Section 5.1. */
function integer(value: number, bits: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.of(value);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

/** Reads the header blocks of one direction of a connection. */
export class HeaderReader {
  readonly #recent: Entry[] = [];
  #most = 4096;

  /** The entries of a block. */
  read(block: Uint8Array): Entry[] {
    const entries: Entry[] = [];
    let at = 0;
    const number = (bits: number): number => {
      const most = 2 ** bits - 1;
      let value = block[at++]! & most;
      if (value < most) return value;
      for (let shift = 0; ; shift += 7) {
        const byte = block[at++]!;
        value += (byte & 127) << shift;
        if (!(byte & 128)) return value;
      }
    };
    const text = (): string => {
      const isPacked = (block[at]! & 128) !== 0;
      const size = number(7);
      const bytes = block.subarray(at, (at += size));
      return isPacked ? unpack(bytes) : Buffer.from(bytes).toString("latin1");
    };
    const literalAt = (index: number): Entry => [index ? this.#entry(index)[0] : text(), text()];
    while (at < block.length) {
      const first = block[at]!;
      if (first & 0x80) entries.push(this.#entry(number(7)));
      else if (first & 0x40) entries.push(this.#remember(literalAt(number(6))));
      else if (first & 0x20) this.#resize(number(5));
      else entries.push(literalAt(number(4)));
    }
    return entries;
  }

  #entry(index: number): Entry {
    const entry = index <= known.length ? known[index - 1] : this.#recent[index - known.length - 1];
    if (!entry) throw new Error(`there is no entry ${index}`);
    return entry;
  }

  #remember(entry: Entry): Entry {
    this.#recent.unshift(entry);
    this.#resize(this.#most);
    return entry;
  }

  #resize(most: number): void {
    this.#most = most;
    const size = (): number => this.#recent.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
    while (size() > most) this.#recent.pop();
  }
}

/** Appendix A. */
const known: readonly Entry[] = `
:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204
:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate
accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control
content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type
cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since
last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after
server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate`
  .trim()
  .split(/[|\n]/)
  .map((line): Entry => {
    const [name, ...value] = line.split(" ");
    return [name!, value.join(" ")];
  });

/** The lengths of the codes of bytes 0 to 255 and of the end, in base 36. The code is canonical. Appendix B. */
const lengths =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f565" +
  "65666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmnqqkjmnmp" +
  "qqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu";

/** Each byte by the bits of its code. */
const codes: ReadonlyMap<string, number> = (() => {
  const order = Array.from(lengths, (digit, byte) => ({ size: Number.parseInt(digit, 36), byte }));
  order.sort((a, b) => a.size - b.size || a.byte - b.byte);
  let [code, size] = [0, 0];
  return new Map(
    order.map(({ size: next, byte }) => {
      code = size ? (code + 1) * 2 ** (next - size) : 0;
      size = next;
      return [code.toString(2).padStart(size, "0"), byte] as const;
    }),
  );
})();

function unpack(bytes: Uint8Array): string {
  let [text, code] = ["", ""];
  for (const bit of Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("")) {
    code += bit;
    const byte = codes.get(code);
    if (byte === undefined) continue;
    text += String.fromCharCode(byte);
    code = "";
  }
  return text;
}
