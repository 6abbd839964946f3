// What `proxy-wasm run-cases` is told on the command line.

/** What the flags give. */
export interface RunCasesFlags {
  readonly module?: string;
  readonly config?: string;
  readonly only?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly schema?: boolean;
}
