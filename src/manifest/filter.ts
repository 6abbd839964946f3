// A filter as it is deployed: what the manifests of all targets are written from.

import type { Digest } from "../oci/descriptor.ts";
import type { Json, JsonObject } from "./json.ts";

/** Where the filter's image is. */
export interface FilterImage {
  /** Host, repository and tag, without `oci://` and digest. */
  readonly name: string;
  /** Host and port of the registry. */
  readonly registry: string;
  /** Of the image's manifest; undefined when nothing is to be pinned. */
  readonly digest: Digest | undefined;
}

/** Where the module itself can be fetched. */
export interface FilterDownload {
  readonly url: string;
  /** The digits of the module's digest. */
  readonly sha256: string;
}

/** How it runs. */
export interface FilterSettings {
  /** Text is handed to the filter as it is, everything else as JSON; undefined is none. */
  readonly configuration: Json | undefined;
  readonly phase: "unspecified" | "authn" | "authz" | "stats";
  readonly priority: number;
  readonly failurePolicy: "closed" | "open" | "reload";
  readonly environment: {
    readonly values: Readonly<Record<string, string>>;
    /** Names whose values are the proxy's own. */
    readonly host: readonly string[];
  };
  readonly allowOnHeadersStopIteration: boolean;
  /** The only host calls and callbacks that it may use; undefined: all. */
  readonly capabilities: readonly string[] | undefined;
  readonly vmId: string | undefined;
  readonly vmConfiguration: Json | undefined;
}

/** What it is. */
export interface Filter extends FilterSettings {
  readonly name: string;
  readonly kind: "http" | "network" | "access-log" | "service";
  readonly rootId: string;
  /** The absolute path of the module. */
  readonly module: string;
  readonly image: FilterImage | undefined;
  readonly download: FilterDownload | undefined;
  /** The JSON Schema of its configuration. */
  readonly configurationSchema: JsonObject | boolean | undefined;
}

/** A configuration as the bytes that the filter reads, which are text. */
export function textOf(configuration: Json | undefined): string | undefined {
  if (configuration === undefined || typeof configuration === "string") return configuration;
  return JSON.stringify(configuration);
}

/** Labels that objects have, or have to have. */
export type Labels = Readonly<Record<string, string>>;

/** When an image is fetched again. */
export type ImagePullPolicy = "IfNotPresent" | "Always";

/** What is said of each target in `targets`. */
export interface Places {
  readonly istio: IstioPlace;
  readonly "envoy-gateway": EnvoyGatewayPlace;
  readonly higress: HigressPlace;
  readonly envoy: EnvoyPlace;
  readonly kong: KongPlace;
  readonly nginx: NginxPlace;
  readonly apisix: ApisixPlace;
  readonly google: GooglePlace;
}

interface KubernetesPlace {
  readonly namespace?: string;
  readonly imagePullPolicy?: ImagePullPolicy;
  readonly imagePullSecret?: string;
}

/** Where in a mesh. */
export interface IstioPlace extends KubernetesPlace {
  readonly selector?: Labels;
  readonly targetRefs?: readonly { readonly kind: string; readonly name: string }[];
  readonly match?: readonly {
    readonly mode?: "CLIENT" | "SERVER" | "CLIENT_AND_SERVER";
    readonly ports?: readonly number[];
  }[];
}

/** On which gateways or routes. */
export interface EnvoyGatewayPlace extends KubernetesPlace {
  readonly targetRefs?: readonly { readonly kind: string; readonly name: string; readonly sectionName?: string }[];
  readonly targetSelectors?: readonly { readonly kind: string; readonly matchLabels: Labels }[];
}

/** For which requests of the gateway. */
export interface HigressPlace extends KubernetesPlace {
  readonly rules?: readonly {
    readonly ingress?: readonly string[];
    readonly domain?: readonly string[];
    readonly service?: readonly string[];
    readonly configuration?: JsonObject;
    readonly disabled?: boolean;
  }[];
}

/** In which Envoy. */
export interface EnvoyPlace {
  readonly file?: string;
  /** Address and port. */
  readonly listen?: string;
  readonly upstream?: string;
  readonly clusters?: Readonly<Record<string, string>>;
}

/** On which service or route. */
export interface KongPlace {
  readonly service?: string;
  readonly upstream?: string;
  readonly paths?: readonly string[];
}

/** In which location. */
export interface NginxPlace {
  readonly file?: string;
  readonly listen?: string;
  readonly location?: string;
  readonly upstream?: string;
}

/** On which route. */
export interface ApisixPlace {
  readonly file?: string;
  readonly requestPhase?: "access" | "rewrite";
  readonly uri?: string;
  readonly upstream?: string;
}

/** At which load balancer. */
export interface GooglePlace {
  readonly project?: string;
  readonly location?: string;
  readonly version?: string;
  readonly extension?: "traffic" | "route";
  readonly forwardingRules?: readonly string[];
  readonly match?: string;
}
