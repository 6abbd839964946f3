// CRC-32 (ISO 3309), as nginx's `ngx_crc32_long`.

import type { ByteString } from "./bytes.ts";

/** The checksum of these bytes, as an unsigned number. */
export function crc32(text: ByteString): number {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
