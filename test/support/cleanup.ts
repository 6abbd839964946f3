import { removeBuild } from "./compile.ts";

export default function setup(): () => Promise<void> {
  return removeBuild;
}
