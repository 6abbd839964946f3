// The thread in which filters are compiled that are running.

import { parentPort } from "node:worker_threads";

import { compile, type CompileOptions } from "../../compile.ts";

parentPort!.on("message", (options: CompileOptions) => {
  compile(options).then(
    (compilation) => parentPort!.postMessage(compilation),
    (error: unknown) => parentPort!.postMessage({ failure: failureOf(error) }),
  );
});

function failureOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "ERR_MODULE_NOT_FOUND"
    ? "the compiler is not installed; npm install --save-dev assemblyscript"
    : message;
}
