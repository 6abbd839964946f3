// The hosts that a filter can be tried on, by name.

import { envoy, envoys, higress } from "./envoy.ts";
import { kong, nginx } from "./nginx.ts";
import type { HostProfile, HostSetting } from "./profile.ts";

/** The hosts that there are profiles of. */
export const hostProfiles: Readonly<Record<HostName, HostProfile>> = { envoy, higress, kong, nginx };

/** The name of a host. */
export type HostName = "envoy" | "higress" | "kong" | "nginx";

/** A host with values of its own over those of another. */
export interface HostVariant extends Partial<HostProfile> {
  /** The host that it is like; `envoy` by default. */
  readonly base?: HostName;
  /** Which version of it, for Envoy: `1.33` to `1.40`, which is the default. */
  readonly version?: string;
}

/** The profile that is meant; a `TypeError` says what there is. */
export function profileOf(host: HostName | HostVariant = "envoy"): HostProfile {
  const { base = "envoy", version, ...values } = typeof host === "string" ? { base: host } : host;
  if (!Object.hasOwn(hostProfiles, base)) {
    const names = Object.keys(hostProfiles).join(", ");
    throw new TypeError(`there is no host ${JSON.stringify(base)}; there are ${names}`);
  }
  const profile = version === undefined ? hostProfiles[base] : versionOf(base, version);
  const unknown = Object.keys(values).find((name) => !Object.hasOwn(envoy, name));
  if (unknown !== undefined) throw new TypeError(`a host has no value ${unknown}; see HostProfile`);
  return Object.keys(values).length ? { ...profile, ...values } : profile;
}

/** A `TypeError` when the host does not have this setting. */
export function needSetting({ title, missingSettings }: HostProfile, setting: HostSetting): void {
  if (missingSettings.includes(setting))
    throw new TypeError(`${title} has no such setting as ${setting}; leave it out`);
}

function versionOf(base: HostName, version: string): HostProfile {
  if (base !== "envoy") throw new TypeError(`there is one version of the host ${base}; leave out version`);
  const profile = Object.hasOwn(envoys, version) ? envoys[version] : undefined;
  if (profile) return profile;
  throw new TypeError(
    `there is no profile of Envoy ${version}; there are ${Object.keys(envoys).toSorted().join(", ")}`,
  );
}
