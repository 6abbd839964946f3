// What a test gets for `import filter from "../assembly/index.ts?filter"` with the plugin of "proxy-wasm/vitest/plugin":
// /// <reference types="proxy-wasm/vitest/client" />

declare module "*?filter" {
  /** The path of the compiled module, for `loadFilter`. */
  const filter: string;
  export default filter;
}
