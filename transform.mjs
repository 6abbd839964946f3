// What happens to a filter between asc's compiler and its optimizer, which then drops what nothing reaches any more. A
// compiler that is built differently keeps every export: the filter works all the same.

import "./library.mjs";
import { chooseAbi } from "./transform/abi.mjs";
import { answerQuestions } from "./transform/answers.mjs";
import { dropObjectConstructor, shortenStackCheck } from "./transform/asc-functions.mjs";
import { keepApart } from "./transform/cold.mjs";
import { acceptTheRest, calledMethods, pruneExports } from "./transform/exports.mjs";
import { trimFrames } from "./transform/frames.mjs";
import { shortenLiterals } from "./transform/literals.mjs";
import { producers } from "./transform/producers.mjs";
import { hasBothKinds } from "./transform/registrations.mjs";
import { sharedClass } from "./transform/shared-context.mjs";
import { joinTexts } from "./transform/texts.mjs";
import { warningsOf } from "./transform/warnings.mjs";

/** The transform, as asc calls it. */
export default class FilterTransform {
  afterParse(parser) {
    joinTexts(parser.sources);
  }

  afterCompile(module) {
    module?.addCustomSection?.("producers", producers());
    const { program, binaryen } = this;
    const instances = program?.instancesByName;
    if (!(instances instanceof Map) || typeof module?.removeExport !== "function") return;
    const { sources, options } = program;
    const called = calledMethods(instances);
    if (hasBothKinds(instances)) called.add("onNewConnection");
    pruneExports(module, called);
    chooseAbi(module, options.globalAliases?.get("PROXY_WASM_ABI"));
    acceptTheRest(module, binaryen, called);
    const shared = sharedClass(program, called);
    answerQuestions(module, binaryen, instances, called, shared);
    dropObjectConstructor(module, binaryen, sources);
    trimFrames(module, binaryen, program, shared !== 0);
    shortenStackCheck(module, binaryen);
    keepApart(
      module,
      binaryen,
      [...called].map((method) => `*#${method}`),
    );
    shortenLiterals(module, binaryen, options.optimizeLevelHint > 0);
    for (const warning of warningsOf(instances, sources)) this.stderr.write(`WARNING: ${warning}\n`);
  }
}
