// The functions that Envoy offers beyond the ABI, with their types: `import { compress } from "proxy-wasm/assembly/envoy"`.
// Other proxies do not have them and answer NotFound: null, or the status.
// Source: Envoy source/extensions/common/wasm/foreign.cc and ext/*.proto; answers are those of a running Envoy 1.40.

import { Status } from "./abi";
import { proxy_clear_route_cache } from "./env";
import { callForeign, callForeignFunction, foreignFunctionStatus } from "./foreign";
import { MessageReader, MessageWriter } from "./protobuf";
import { checked, DONE } from "./status";
import { ABI } from "./version";

/** How long Envoy keeps what a filter sets. */
export enum LifeSpan {
  /** As long as the filter chain that set it: the request. */
  FilterChain = 0,
  /** The request, across internal redirects too. */
  Request = 1,
  /** The connection of the client. */
  Connection = 2,
}

/** What a property of a filter's own holds, for those who read it in Envoy. */
export enum PropertyType {
  /** Any bytes. */
  Bytes = 0,
  /** A text. */
  String = 1,
  /** A FlatBuffers table; the schema says of what kind. */
  FlatBuffers = 2,
  /** A protocol buffers message; the schema is its type URL. */
  Protobuf = 3,
}

/** What came of a signature: made or verified, or why not. */
export class SignatureResult {
  constructor(
    /** Whether the signature fits, or was made. */
    readonly ok: bool,
    /** The signature that was made; none when one was verified or when there is none. */
    readonly signature: Uint8Array,
    /** Why not, in Envoy's words; `""` when all is well. */
    readonly error: string,
  ) {}
}

/** Compresses bytes: a zlib stream (RFC 1950) of zlib's usual level. `null` when the proxy cannot. */
export function compress(bytes: Uint8Array): Uint8Array | null {
  return callForeignFunction("compress", bytes);
}

/**
 * The bytes that a zlib stream (RFC 1950; neither gzip nor a raw one) holds; `null` when it is none. Envoy sets no bound
 * to what comes out of it, other than the filter's memory: do not use it on what a client sends.
 */
export function uncompress(bytes: Uint8Array): Uint8Array | null {
  return callForeignFunction("uncompress", bytes);
}

/**
 * Makes Envoy choose the route anew, by the request's headers as they are now. With ABI 0.2.1 each change of a request
 * header does that already. Envoy 1.33 and newer; in a callout's handler 1.37 and newer. ABI 0.1.0 has a host call for it,
 * which builds for that version use.
 */
export function clearRouteCache(): Status {
  if (ABI < 20) {
    const status = proxy_clear_route_cache();
    return checked(changetype<usize>("proxy_clear_route_cache"), status, DONE, memory.data(4));
  }
  return callForeign(changetype<usize>("clear_route_cache"), 0, 0);
}

/**
 * Sets one of the objects of the stream's filter state that Envoy knows, from its text: `envoy.tcp_proxy.cluster`,
 * `envoy.network.upstream_server_name`, … (Envoy's "Well Known Filter State Objects"). `NotFound` for a name that Envoy
 * does not know and where there is no stream; `BadArgument` for a text that is none of that object.
 */
export function setEnvoyFilterState(name: string, value: string, lifeSpan: LifeSpan = LifeSpan.FilterChain): Status {
  const message = new MessageWriter().text(1, name).text(2, value).number(3, lifeSpan).finish();
  return callForeign(changetype<usize>("set_envoy_filter_state"), message.dataStart, message.byteLength);
}

/**
 * Says what a property of the filter's own is, before it is first set: its type, whether it can be set only once, how
 * long it is kept. For `onConfigure` and other callbacks of the root context: a declaration in a stream has no effect.
 * `BadArgument` when the name is declared already. `schema` is a type URL for `Protobuf`, a binary schema for
 * `FlatBuffers`.
 */
export function declareProperty(
  name: string,
  type: PropertyType,
  readonly: bool = false,
  lifeSpan: LifeSpan = LifeSpan.FilterChain,
  schema: Uint8Array | null = null,
): Status {
  const message = new MessageWriter()
    .text(1, name)
    .number(2, readonly ? 1 : 0)
    .number(3, type);
  if (schema !== null) message.bytes(4, schema);
  const argument = message.number(5, lifeSpan).finish();
  return callForeign(changetype<usize>("declare_property"), argument.dataStart, argument.byteLength);
}

/**
 * Verifies the signature of `text` with a public key: a SubjectPublicKeyInfo in DER, of RSA (PKCS #1 v1.5) or ECDSA.
 * `hash` is `sha1`, `sha224`, `sha256`, `sha384` or `sha512`.
 */
export function verifySignature(
  hash: string,
  publicKey: Uint8Array,
  signature: Uint8Array,
  text: Uint8Array,
): SignatureResult {
  return verified(new MessageWriter().text(1, hash).bytes(2, publicKey).bytes(3, signature).bytes(4, text));
}

/** As `verifySignature`, with a key in PEM. Envoy 1.37 and newer. */
export function verifySignaturePem(
  hash: string,
  publicKey: string,
  signature: Uint8Array,
  text: Uint8Array,
): SignatureResult {
  return verified(new MessageWriter().text(1, hash).bytes(3, signature).bytes(4, text).text(5, publicKey));
}

/**
 * Signs `text` with a private key: PKCS #8 in DER, of RSA (PKCS #1 v1.5) or ECDSA. `hash` as in `verifySignature`.
 * Envoy 1.37 and newer. A key that lies in a filter's configuration is seen by all who can read that.
 */
export function sign(hash: string, privateKey: Uint8Array, text: Uint8Array): SignatureResult {
  return signed(new MessageWriter().text(1, hash).bytes(2, privateKey).bytes(3, text));
}

/** As `sign`, with a key in PEM. */
export function signPem(hash: string, privateKey: string, text: Uint8Array): SignatureResult {
  return signed(new MessageWriter().text(1, hash).bytes(3, text).text(4, privateKey));
}

function verified(message: MessageWriter): SignatureResult {
  return signatureResult(callForeignFunction("verify_signature", message.finish()), 0, 2);
}

function signed(message: MessageWriter): SignatureResult {
  return signatureResult(callForeignFunction("sign", message.finish()), 2, 3);
}

function signatureResult(answer: Uint8Array | null, signatureField: u32, errorField: u32): SignatureResult {
  let ok = false;
  let signature = new Uint8Array(0);
  if (answer === null) {
    const status = foreignFunctionStatus();
    const why = status == Status.BadArgument ? "the key is none" : "the proxy answered status " + status.toString();
    return new SignatureResult(false, signature, why);
  }
  let error = "";
  const message = new MessageReader(answer);
  while (message.next()) {
    if (message.field == 1) ok = message.number != 0;
    else if (message.field == signatureField) signature = message.bytes();
    else if (message.field == errorField) error = message.text();
  }
  return new SignatureResult(ok && !message.failed, signature, error);
}

/**
 * An expression of CEL, the Common Expression Language, over Envoy's attributes: `request.path.startsWith("/api")`.
 * Make it once, in `onConfigure`, and evaluate it in streams. Envoy needs to be built with CEL's parser, as its
 * releases are. Names that do not exist are found out when it is evaluated only.
 */
export class Expression {
  private constructor(private readonly token: Uint8Array) {}

  /** Reads an expression; `null` when it is none, and Envoy's log says why. It belongs to the root context. */
  static create(source: string): Expression | null {
    const token = callForeignFunction("expr_create", Uint8Array.wrap(String.UTF8.encode(source)));
    return token !== null ? new Expression(token) : null;
  }

  /**
   * Its value for the stream whose callback is running, as the bytes of a property: 8 bytes for a number, 1 for a bool,
   * the text for a string. `null` when there is none: an attribute is missing, or the operation fails. In a callout's
   * handler Envoy evaluates it for the root context, which has no request.
   */
  evaluate(): Uint8Array | null {
    return callForeignFunction("expr_evaluate", this.token);
  }

  /** Its value when that is a bool; `false` when there is none. */
  evaluateBool(): bool {
    const value = this.evaluate();
    return value !== null && value.length == 1 && unchecked(value[0]) != 0;
  }

  /** Forgets it in Envoy. */
  delete(): Status {
    return callForeign(changetype<usize>("expr_delete"), this.token.dataStart, this.token.byteLength);
  }
}
