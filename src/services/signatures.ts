// Envoy's foreign functions `verify_signature` and `sign`, with its sentences for what goes wrong.
// Source: Envoy source/extensions/common/wasm/foreign.cc, source/common/crypto/; a running Envoy 1.40.

import { Status } from "../../assembly/abi.ts";
import { Gap, Refusal } from "../error.ts";
import { type KeyObject, nodeCrypto } from "../node-modules.ts";
import { bytesField, decodeMessage, encodeMessage, textField } from "../encoding/protobuf.ts";

type Crypto = NonNullable<ReturnType<typeof nodeCrypto>>;

const hashes: ReadonlySet<string> = new Set(["sha1", "sha224", "sha256", "sha384", "sha512"]);
/** The curves that BoringSSL reads. */
const curves: ReadonlySet<string> = new Set(["secp224r1", "prime256v1", "secp384r1", "secp521r1"]);

/** Whether a signature fits a text and a public key. */
export function verifySignature(argument: Uint8Array): Uint8Array | Refusal {
  const crypto = nodeCrypto();
  if (!crypto) return noCrypto("verify_signature");
  const fields = decodeMessage(argument);
  const hash = fields && textField(fields, 1);
  const pem = fields && textField(fields, 5);
  if (!fields || hash === undefined || pem === undefined) return noMessage("verify_signature");
  const der = bytesField(fields, 2);
  if ((pem !== "") === der.length > 0) return notOneKey("verify_signature", "public_key");
  const failed = (error: string): Uint8Array => encodeMessage([[2, error]]);
  if (!hashes.has(hash.toLowerCase())) return failed(`${hash} is not supported.`);
  const key = publicKey(crypto, pem ? (pemBlock(pem, ["PUBLIC KEY"])?.der ?? new Uint8Array()) : der);
  if (!key || !isUsable(key)) return failed("Failed to initialize digest verify.");
  const fits = crypto.verify(hash.toLowerCase(), bytesField(fields, 4), key, bytesField(fields, 3));
  return fits ? encodeMessage([[1, true]]) : failed("Failed to verify digest. Error code: 0");
}

/** The signature of a text with a private key. */
export function sign(argument: Uint8Array): Uint8Array | Refusal {
  const crypto = nodeCrypto();
  if (!crypto) return noCrypto("sign");
  const fields = decodeMessage(argument);
  const hash = fields && textField(fields, 1);
  const pem = fields && textField(fields, 4);
  if (!fields || hash === undefined || pem === undefined) return noMessage("sign");
  const der = bytesField(fields, 2);
  if ((pem !== "") === der.length > 0) return notOneKey("sign", "private_key");
  const failed = (error: string): Uint8Array => encodeMessage([[3, error]]);
  if (!hashes.has(hash.toLowerCase())) return failed(`${hash} is not supported.`);
  const block = pem ? pemBlock(pem, Object.keys(privateKeyTypes)) : { label: "PRIVATE KEY", der };
  const key = block && privateKey(crypto, block.der, privateKeyTypes[block.label]!);
  if (!key) return failed("Invalid key type: private key required for signing operation.");
  if (!isUsable(key)) return failed("Invalid private key: key data is corrupted or malformed.");
  try {
    return encodeMessage([
      [1, true],
      [2, crypto.sign(hash.toLowerCase(), bytesField(fields, 3), key)],
    ]);
  } catch {
    return failed("Failed to create signature.");
  }
}

const privateKeyTypes: Readonly<Record<string, "pkcs8" | "pkcs1" | "sec1">> = {
  "PRIVATE KEY": "pkcs8",
  "RSA PRIVATE KEY": "pkcs1",
  "EC PRIVATE KEY": "sec1",
};

function publicKey(crypto: Crypto, der: Uint8Array): KeyObject | undefined {
  return known(() => crypto.createPublicKey({ key: firstElement(der), format: "der", type: "spki" }));
}

function privateKey(crypto: Crypto, der: Uint8Array, type: "pkcs8" | "pkcs1" | "sec1"): KeyObject | undefined {
  return known(() => crypto.createPrivateKey({ key: firstElement(der), format: "der", type }));
}

/** A key of a kind that BoringSSL reads. */
function known(read: () => KeyObject): KeyObject | undefined {
  try {
    const key = read();
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
    const isRead = type === "ec" ? curves.has(details?.namedCurve ?? "") : readTypes.has(type ?? "");
    return isRead ? key : undefined;
  } catch {
    return undefined;
  }
}

const readTypes: ReadonlySet<string> = new Set(["rsa", "dsa", "ed25519", "x25519"]);

/** Whether BoringSSL signs and verifies a digest with it. */
function isUsable(key: KeyObject): boolean {
  return key.asymmetricKeyType === "rsa" || key.asymmetricKeyType === "ec";
}

/** The first block of one of these labels in a PEM text. */
function pemBlock(pem: string, labels: readonly string[]): { label: string; der: Uint8Array } | undefined {
  for (const [, label, body] of pem.matchAll(/-----BEGIN ([A-Z ]+)-----\r?\n(.*?)-----END \1-----/gs)) {
    if (!labels.includes(label!)) continue;
    try {
      return { label: label!, der: Uint8Array.from(atob(body!.replace(/\s/g, "")), (unit) => unit.charCodeAt(0)) };
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** The first element of DER; what stands behind it is not looked at. */
function firstElement(der: Uint8Array): Buffer {
  const [, first = 0] = der;
  const more = first > 0x80 ? first & 0x7f : 0;
  const size = more ? der.subarray(2, 2 + more).reduce((sum, byte) => sum * 256 + byte, 0) : first;
  return der.subarray(0, 2 + more + size) as Buffer;
}

function noCrypto(name: string): Refusal {
  return new Gap(
    "compress, uncompress, sign, verify_signature outside of Node",
    `${name} needs Node's crypto; elsewhere give a function of your own (foreign)`,
  );
}

function noMessage(name: string): Refusal {
  const message = name === "sign" ? "SignArguments" : "VerifySignatureArguments";
  return new Refusal(Status.BadArgument, `the argument of ${name} is no message of Envoy's type ${message}`);
}

function notOneKey(name: string, field: string): Refusal {
  return new Refusal(Status.BadArgument, `${name} needs one key, in ${field} or in ${field}_pem, not both`);
}
