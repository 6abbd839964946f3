// What the proxies behind those who fetch images do with the module in one.

import { readFacts } from "../check/facts.ts";
import { LoadError } from "../error.ts";
import { type Consumer, consumers } from "../oci/acceptance.ts";
import { printable } from "./printable.ts";
import { chooseTargets, judgeAll, refusalText } from "./verdicts.ts";

/** What a consumer's Envoy does with a module that was fetched. */
export interface ModuleVerdict {
  readonly consumer: Consumer;
  /** Why every version refuses it; undefined when one takes it. */
  readonly error: string | undefined;
  /** Which versions refuse it, when others take it. */
  readonly warning: string | undefined;
}

/** Judges the module of an image; `name` stands in what is said of it. */
export async function judgeModule(module: Uint8Array, name: string): Promise<ModuleVerdict[]> {
  try {
    // Nothing here is in shared memory.
    const { facts } = await readFacts(module as Uint8Array<ArrayBuffer>, name);
    return Object.entries(consumers).map(([proxies, consumer]) => {
      const { refusing, isRefused } = judgeAll(facts, chooseTargets([proxies]));
      return {
        consumer,
        error: isRefused ? refusing[0]!.problems.map(({ message }) => printable(message)).join("; ") : undefined,
        warning: refusing.length && !isRefused ? refusalText(name, refusing) : undefined,
      };
    });
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return Object.values(consumers).map((consumer) => ({ consumer, error: error.message, warning: undefined }));
  }
}
