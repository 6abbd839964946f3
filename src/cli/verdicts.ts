// Proxies by the names that they have on the command line, and what they make of a module.

import { type Finding, judge, type ModuleFacts, type Verdict } from "../check/judge.ts";
import { familyOf, type Target, targets, targetsOf } from "../check/targets.ts";
import { UsageError } from "./errors.ts";
import { nearest } from "./nearest.ts";
import { printable } from "./printable.ts";

/** The targets of these names; all when there are none. */
export function chooseTargets(names: readonly string[] | undefined): Target[] {
  if (!names) return [...targets];
  return names.flatMap((name) => {
    const found = targetsOf(name);
    if (found.length) return found;
    const meant = nearest(name, targetNames());
    const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
    throw new UsageError(`unknown proxy "${name}"${hint || ";"} known: ${targetNames().join(", ")}`);
  });
}

/** The names that `chooseTargets` takes: families, then proxies. */
export function targetNames(): string[] {
  return [...new Set([...targets.map(({ id }) => familyOf(id)), ...targets.map(({ id }) => id)])];
}

/** What several proxies make of a module. */
export interface Judgement {
  readonly verdicts: readonly Verdict[];
  /** The verdicts of those that refuse it. */
  readonly refusing: readonly Verdict[];
  /** Whether all of them do. */
  readonly isRefused: boolean;
}

/** Judges a module for each of these proxies. */
export function judgeAll(facts: ModuleFacts, proxies: readonly Target[]): Judgement {
  const verdicts = proxies.map((proxy) => judge(facts, proxy));
  const refusing = verdicts.filter(({ verdict }) => verdict === "refused");
  return { verdicts, refusing, isRefused: refusing.length === verdicts.length };
}

/** One sentence that says who refuses a module, and why the first does. */
export function refusalText(module: string, refusing: readonly Verdict[]): string {
  const names = titles(refusing).map(({ title }) => title);
  const [first] = refusing;
  return `${module} would be refused by ${names.join(", ")}: ${first!.problems.map(({ message }) => printable(message)).join("; ")}`;
}

/** The verdicts with what they are called; versions of a proxy that judge alike are one row. */
export function titles(verdicts: readonly Verdict[]): { title: string; verdict: Verdict }[] {
  const rows: { family: string; versions: string[]; verdict: Verdict }[] = [];
  for (const verdict of verdicts) {
    const { name } = targetsOf(verdict.target)[0]!;
    const [, family = name, version = ""] = /^(.*) ([\d.]+)$/.exec(name) ?? [];
    const last = rows.at(-1);
    if (last?.family === family && sameFindings(last.verdict, verdict)) last.versions.push(version);
    else rows.push({ family, versions: [version], verdict });
  }
  return rows.map(({ family, versions, verdict }) => {
    const [newest = "", oldest = ""] = [versions[0], versions.at(-1)];
    return { title: `${family} ${newest === oldest ? newest : `${oldest} to ${newest}`}`.trim(), verdict };
  });
}

function sameFindings(one: Verdict, other: Verdict): boolean {
  const text = ({ problems, limits }: Verdict): string =>
    JSON.stringify([problems, limits].map((list: readonly Finding[]) => list.map(({ message }) => message)));
  return text(one) === text(other);
}
