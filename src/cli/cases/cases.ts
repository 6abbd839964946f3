// The cases of a file: what its fields mean, and where each stands. The fields are those of Google's plugin tester
// (GoogleCloudPlatform/service-extensions plugins/test/runner.proto) and some that it has no words for.

/** A value of a file, where it stands. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A header. */
export interface CaseHeader {
  readonly key: string;
  readonly value: Scalar;
}

/** What YAML may make of a value without quotes. */
export type Scalar = string | number | boolean;

/** YAML's own, or the word. */
export type CaseBoolean = boolean | "true" | "false";

/** What arrives. */
export interface CaseInput {
  readonly header?: readonly CaseHeader[];
  readonly content?: string;
  readonly file?: string;
}

/** What some text is to be. */
export interface Matcher {
  readonly exact?: string;
  readonly regex?: string;
  readonly file?: string;
  readonly invert?: CaseBoolean;
}

/** What is expected. */
export interface Expectation {
  readonly has_header?: readonly CaseHeader[];
  readonly no_header?: readonly { readonly key: string }[];
  readonly headers?: readonly Matcher[];
  readonly body?: readonly Matcher[];
  readonly immediate?: { readonly http_status?: number; readonly grpc_status?: number; readonly details?: string };
  readonly log?: readonly Matcher[];
  readonly paused?: CaseBoolean;
  readonly callout?: readonly {
    readonly cluster: string;
    readonly method?: string;
    readonly path?: string;
    readonly body?: string;
    readonly has_header?: readonly CaseHeader[];
  }[];
}

/** A part of a message, and what is expected thereafter. */
export interface Invocation {
  readonly input?: CaseInput;
  readonly result?: Expectation;
}

/** An answer to a callout. */
export interface CaseAnswer {
  readonly status?: number;
  readonly header?: readonly CaseHeader[];
  readonly body?: string;
  readonly failure?: CaseBoolean;
}

/** A case. */
export interface Case {
  readonly name: string;
  readonly num_chunks?: number;
  readonly chunk_size?: number;
  readonly body_chunking_plan?: { readonly num_chunks?: number; readonly chunk_size?: number };
  readonly properties?: readonly { readonly path: string; readonly value: Scalar }[];
  readonly clusters?: Readonly<Record<string, readonly CaseAnswer[]>>;
  readonly plugin_init?: Expectation;
  readonly stream_init?: Expectation;
  readonly request_headers?: Invocation;
  readonly request_body?: readonly Invocation[];
  readonly request_trailers?: Invocation;
  readonly response_headers?: Invocation;
  readonly response_body?: readonly Invocation[];
  readonly response_trailers?: Invocation;
  readonly stream_destroy?: Expectation;
}

/** All of a file. */
export interface Cases {
  readonly env?: {
    readonly wasm_path?: string;
    readonly config_path?: string;
    readonly config?: string;
    readonly root_id?: string;
    readonly log_level?: "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR" | "CRITICAL";
    readonly time_secs?: number;
  };
  readonly test: readonly Case[];
}

/** Whether it is true in either way. */
export function isTrue(value: CaseBoolean | undefined): boolean {
  return value === true || value === "true";
}
