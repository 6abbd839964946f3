// Programs made of the SDK's parts, whose functions a test calls through @assemblyscript/loader.

import { resolve } from "node:path";

import { type ASUtil, instantiate } from "@assemblyscript/loader";
import { main as asc } from "assemblyscript/asc";

/** Compiles `test/filters/<name>` and instantiates it with an `abort` that throws; its host calls do nothing. */
export async function loadGuest<Guest extends ASUtil & Record<string, unknown>>(name: string): Promise<Guest> {
  let binary: Uint8Array<ArrayBuffer> | undefined;
  // From its own folder: in the package's, asc would take the asconfig.json of filters.
  const baseDir = resolve(import.meta.dirname, "../filters");
  const { error, stderr } = await asc(
    [name, "--baseDir", baseDir, "--outFile", "guest.wasm", "-O3", "--exportRuntime"],
    {
      writeFile: (_name, contents) => void (binary = contents as Uint8Array<ArrayBuffer>),
    },
  );
  if (!binary) throw new Error(`${error?.message}\n${stderr.toString()}`);
  const abort = (message: number, _file: number, line: number): never => {
    throw new Error(`${message ? guest.__getString(message) : "abort"} in line ${line}`);
  };
  const env = { abort, proxy_log: () => 0 };
  const { exports: guest } = await instantiate<Guest>(binary, { env });
  return guest;
}
