// Compiled next to the author's file, so that the filter exports its callbacks. The import goes by the package's name:
// a relative path would make a second copy of the SDK, whose contexts the author's registrations never reach.

export * from "proxy-wasm/assembly/callbacks";
import "proxy-wasm/assembly/abort";
import "proxy-wasm/assembly/globals";
