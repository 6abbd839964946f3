// Envoy's foreign functions `compress` and `uncompress`: zlib streams (RFC 1950).
// Source: Envoy source/extensions/common/wasm/foreign.cc; a running Envoy 1.40.

import { Status } from "../../assembly/abi.ts";
import { Gap, Refusal } from "../error.ts";
import { beyond, type Limits } from "../limits.ts";
import { nodeZlib } from "../node-modules.ts";

/** A zlib stream of zlib's usual level. Envoy's library, zlib-ng, finds other matches, so its bytes may differ. */
export function compress(bytes: Uint8Array): Uint8Array | Refusal {
  return nodeZlib()?.deflateSync(bytes) ?? noZlib("compress");
}

/** What a zlib stream holds; bytes behind its end are ignored. */
export function uncompress(bytes: Uint8Array, limits: Limits): Uint8Array | Refusal {
  const zlib = nodeZlib();
  if (!zlib) return noZlib("uncompress");
  try {
    return zlib.inflateSync(bytes, { maxOutputLength: limits.foreignBytes });
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") {
      return beyond("foreignBytes", "the bytes that uncompress answers", limits.foreignBytes + 1, limits);
    }
    return new Refusal(
      Status.SerializationFailure,
      `uncompress was given no zlib stream (${(error as Error).message}); gzip and raw deflate are none`,
    );
  }
}

function noZlib(name: string): Refusal {
  return new Gap(
    "compress, uncompress, sign, verify_signature outside of Node",
    `${name} needs Node's zlib; elsewhere give a function of your own (foreign)`,
  );
}
