import { Command } from "commander";
import type { Streams } from "./streams.ts";
export function initCommand(_streams: Streams): Command {
  return new Command("init");
}
