// The context classes of the SDK, as the compiler knows them.

/** What asc calls the files of the SDK. */
export const SDK = "~lib/proxy-wasm/assembly/";

/** The classes whose methods do nothing until they are overridden. */
export const bases = new Set(
  [
    "context/Context",
    "root-context/RootContext",
    "http-context/HttpContext",
    "stream-context/StreamContext",
    "body-context/BodyContext",
  ].map((name) => SDK + name),
);

/** Whether this class is one of the SDK's context classes, or extends one. */
export function isContext(element) {
  for (let type = element; type; type = type.base) if (bases.has(type.internalName)) return true;
  return false;
}
