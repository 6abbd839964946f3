// Properties as text, in hosts that know no types. Source: Kong/ngx_wasm_module, src/common/proxy_wasm/ngx_proxy_wasm_properties.c.

import { Status } from "../../assembly/abi.ts";
import { type ByteString, decodeText } from "../encoding/bytes.ts";
import type { HostContext } from "./context.ts";
import { HostFault, Refusal } from "../error.ts";
import type { TextForm, TextProperties } from "../profiles/profile.ts";
import type { PropertyValue } from "../properties/property-value.ts";

/** The text of a property, whose segments may be divided by points too. */
export function textProperty(path: ByteString, context: HostContext, properties: TextProperties): ByteString | Refusal {
  const name = path.replaceAll("\0", ".");
  const wrong = outsideOfRequest(name, context);
  if (wrong) return wrong;
  const form = formOf(name, properties);
  if (form) return formatted(form, name, context);
  const own = context.ownProperty(name);
  if (own !== undefined && isOwn(name, properties)) return own;
  if (!isOwn(name, properties) && !name.startsWith(`${properties.variables}.`)) return unknown(name, properties);
  const given = context.property(name.split("."));
  return given instanceof Refusal ? unknown(name, properties) : text(given);
}

/** Sets a property: one of the filter's own, or the query of the request. */
export function setTextProperty(
  path: ByteString,
  value: ByteString,
  context: HostContext,
  properties: TextProperties,
): Refusal | undefined {
  const name = path.replaceAll("\0", ".");
  const wrong = outsideOfRequest(name, context);
  if (wrong) return wrong;
  if (name === "request.query" || name === `${properties.variables}.args`) return context.setQuery(value);
  if (isOwn(name, properties)) return context.setOwnProperty(name, value);
  const isKnown = formOf(name, properties) !== undefined || name.startsWith(`${properties.variables}.`);
  const what = `the property ${name} cannot be set: ${properties.own}.… and request.query can`;
  return new Refusal(isKnown ? Status.InternalFailure : Status.NotFound, what);
}

function isOwn(name: ByteString, { own }: TextProperties): boolean {
  return name.startsWith(`${own}.`);
}

function outsideOfRequest(name: ByteString, context: HostContext): Refusal | undefined {
  if (context !== context.root || !name.includes(".")) return undefined;
  return new Refusal(Status.InternalFailure, `the property ${name} belongs to a request, and there is none`);
}

function formOf(name: ByteString, { names }: TextProperties): TextForm | undefined {
  if (Object.hasOwn(names, name)) return names[name];
  const any = name.replace(/^((?:request|response)\.headers)\..+$/s, "$1.*");
  return any !== name && Object.hasOwn(names, any) ? names[any] : undefined;
}

function formatted(form: TextForm, name: ByteString, context: HostContext): ByteString | Refusal {
  if (form === "root id") return "0";
  if (name === "plugin_name" && context === context.root && context.phase !== "on_tick") {
    const { title } = context.profile;
    throw new HostFault(
      `plugin_name is asked for in ${context.phase}: ${title} reads where nothing is, and crashes (SIGSEGV)`,
    );
  }
  const value = context.property(segments(name));
  if (value instanceof Refusal) return value;
  if (form === "address") return text(value).replace(/:\d+$/, "");
  if (form === "text") return text(value);
  const milliseconds = typeof value === "bigint" ? value / 1_000_000n : 0n;
  return `${milliseconds / 1000n}.${String(milliseconds % 1000n).padStart(3, "0")}`;
}

/** The name of a header may have points in it. */
function segments(name: ByteString): ByteString[] {
  const [, group, header] = /^((?:request|response)\.headers)\.(.+)$/s.exec(name) ?? [];
  return group === undefined ? name.split(".") : [...group.split("."), header!];
}

function text(value: PropertyValue): ByteString {
  if (typeof value === "string") return value;
  if (typeof value === "object") return "";
  return String(value);
}

function unknown(name: ByteString, { names, own, variables }: TextProperties): Refusal {
  const known = [...Object.keys(names), `${own}.…`, `${variables}.…`].join(", ");
  return new Refusal(Status.NotFound, `there is no property ${decodeText(name)}; there are ${known}`);
}
