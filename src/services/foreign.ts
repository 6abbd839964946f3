// Foreign functions: what a filter calls by name with bytes. Envoy's own, and those that an embedder adds.
// Source: Envoy source/extensions/common/wasm/foreign.cc; a running Envoy 1.40.

import { Status } from "../../assembly/abi.ts";
import type { ByteString } from "../encoding/bytes.ts";
import { compress, uncompress } from "../encoding/compression.ts";
import { Misuse, Refusal } from "../error.ts";
import type { Attributes, Expressions } from "../properties/expressions.ts";
import { makeFilterState } from "../properties/filter-state.ts";
import type { Limits } from "../limits.ts";
import type { HostProfile } from "../profiles/profile.ts";
import type { PropertyValue } from "../properties/property-value.ts";
import { bytesField, decodeMessage, numberField, textField } from "../encoding/protobuf.ts";
import { sign, verifySignature } from "./signatures.ts";

/**
 * A function of the embedder: gets the bytes that the filter gives, and answers bytes, nothing, or a `Refusal` with the
 * status that the filter sees.
 */
export type ForeignFunction = (argument: Uint8Array) => Uint8Array | Refusal | void;

/** What Envoy keeps of a property that was declared. */
export interface PropertyDeclaration {
  readonly type: "Bytes" | "String" | "FlatBuffers" | "Protobuf";
  readonly readonly: boolean;
  readonly lifeSpan: "FilterChain" | "Request" | "Connection";
  readonly schema: Uint8Array;
}

/** The context that a foreign function works for. */
export interface ForeignCaller {
  /** Puts an object into the stream's filter state. */
  setFilterState(name: string, value: string): Refusal | undefined;
  /** A property by its path. */
  property(path: readonly ByteString[]): PropertyValue | Refusal;
  /** Says what a property is. */
  declareProperty(name: string, declaration: PropertyDeclaration): Refusal | undefined;
}

/** What a function works with. */
export interface ForeignSurroundings {
  /** The context that the filter has chosen, or the running one. */
  readonly effective: ForeignCaller;
  /** The context whose callback is running, which some functions use instead. */
  readonly running: ForeignCaller;
  readonly limits: Limits;
  /** Those of the VM. */
  readonly expressions: Expressions;
}

type EnvoyFunction = (argument: Uint8Array, around: ForeignSurroundings) => Uint8Array | Refusal | undefined;

const envoyFunctions: Readonly<Record<string, EnvoyFunction>> = {
  compress,
  uncompress: (argument, { limits }) => uncompress(argument, limits),
  verify_signature: verifySignature,
  sign,
  // There is one route here, so the choice comes out the same.
  clear_route_cache: () => undefined,
  set_envoy_filter_state: (argument, { effective }) => setEnvoyFilterState(argument, effective),
  declare_property: (argument, { running }) => declareProperty(argument, running),
  expr_create: (argument, { expressions }) => expressions.create(argument),
  expr_evaluate: (argument, { expressions, running }) => expressions.evaluate(argument, attributesOf(running)),
  expr_delete: (argument, { expressions }) => expressions.delete(argument),
};

/** The function of this name, the embedder's first; undefined when there is none. */
export function findForeignFunction(
  name: string,
  own: Readonly<Record<string, ForeignFunction>>,
  { foreignFunctions }: HostProfile,
): ((argument: Uint8Array, around: ForeignSurroundings) => Uint8Array | Refusal | void) | undefined {
  if (Object.hasOwn(own, name)) return own[name];
  return foreignFunctions.includes(name) ? envoyFunctions[name] : undefined;
}

/** The refusal of a name that nobody knows. */
export function unknownFunction(
  name: string,
  own: Readonly<Record<string, ForeignFunction>>,
  { foreignFunctions }: HostProfile,
): Refusal {
  const names = [...Object.keys(own), ...foreignFunctions].join(", ") || "none";
  return new Misuse(Status.NotFound, `there is no foreign function ${JSON.stringify(name)}; there are ${names}`);
}

function setEnvoyFilterState(argument: Uint8Array, caller: ForeignCaller): Refusal | undefined {
  const fields = decodeMessage(argument);
  const name = fields && textField(fields, 1);
  const value = fields && textField(fields, 2);
  if (name === undefined || value === undefined)
    return noMessage("set_envoy_filter_state", "SetEnvoyFilterStateArguments");
  const made = makeFilterState(name, value);
  const object = JSON.stringify(name);
  if (made === "unknown") {
    return new Refusal(
      Status.NotFound,
      `Envoy makes no filter state object ${object} ("Well Known Filter State Objects")`,
    );
  }
  if (made === "bad") return new Refusal(Status.BadArgument, `${JSON.stringify(value)} is no text for ${object}`);
  return caller.setFilterState(name, made.text);
}

const types = ["Bytes", "String", "FlatBuffers", "Protobuf"] as const;
const lifeSpans = ["FilterChain", "Request", "Connection"] as const;

function declareProperty(argument: Uint8Array, caller: ForeignCaller): Refusal | undefined {
  const fields = decodeMessage(argument);
  const name = fields && textField(fields, 1);
  if (!fields || name === undefined) return noMessage("declare_property", "DeclarePropertyArguments");
  return caller.declareProperty(name, {
    type: types[Number(numberField(fields, 3))] ?? "Bytes",
    readonly: numberField(fields, 2) !== 0n,
    lifeSpan: lifeSpans[Number(numberField(fields, 5))] ?? "FilterChain",
    schema: bytesField(fields, 4),
  });
}

function noMessage(name: string, type: string): Refusal {
  return new Refusal(Status.BadArgument, `the argument of ${name} is no message of Envoy's type ${type}`);
}

function attributesOf(caller: ForeignCaller): Attributes {
  return (name) => {
    const value = caller.property([name]);
    return value instanceof Refusal ? undefined : value;
  };
}
