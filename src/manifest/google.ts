// Google Cloud's Service Extensions, as the commands that set them up.
// Source: cloud.google.com, gcloud service-extensions wasm-plugins; Service Extensions API v1, ExtensionChain.

import { head } from "./document.ts";
import { ManifestError } from "./error.ts";
import { type Filter, type GooglePlace, textOf } from "./filter.ts";
import { checkLimits } from "./limits.ts";
import { commentLines, note, writeYaml } from "./yaml.ts";

const MANIFEST = "Google's Service Extensions";

/** A script for sh. */
export function googleScript(filter: Filter, place: GooglePlace): string {
  checkLimits(filter, "google");
  const { name, image, failurePolicy } = filter;
  if (!image) throw new ManifestError(`${MANIFEST} fetch an image, and proxy-wasm.json names none in "image"`);
  if (!image.registry.endsWith("-docker.pkg.dev")) {
    throw new ManifestError(
      `${MANIFEST} fetch images from Artifact Registry only (REGION-docker.pkg.dev), and "image" is ${image.name}; push it there, or choose another target, such as envoy`,
    );
  }
  const {
    project,
    location = "global",
    version = "v1",
    extension = "traffic",
    forwardingRules,
    match = "true",
  } = place;
  if (!forwardingRules || project === undefined) {
    const lacks = project === undefined ? "project" : "forwardingRules";
    throw new ManifestError(
      `${MANIFEST} belong to a project and its load balancers, and targets.google has no "${lacks}"`,
    );
  }
  const configuration = textOf(filter.configuration);
  const rule = (text: string): string =>
    text.includes("/")
      ? text
      : `https://www.googleapis.com/compute/v1/projects/${project}/${location === "global" ? "global" : `regions/${location}`}/forwardingRules/${text}`;
  const resource = writeYaml("", {
    name,
    loadBalancingScheme: note("EXTERNAL_MANAGED or INTERNAL_MANAGED, as the load balancer's.", "EXTERNAL_MANAGED"),
    forwardingRules: forwardingRules.map(rule),
    extensionChains: [
      {
        name,
        matchCondition: { celExpression: note("Which requests.", match) },
        extensions: [
          {
            name,
            service: `projects/${project}/locations/${location}/wasmPlugins/${name}`,
            failOpen: note("Whether requests pass when the filter failed.", failurePolicy === "open"),
            supportedEvents: note(
              "What the filter has callbacks for; REQUEST_BODY, RESPONSE_BODY and trailers are others.",
              ["REQUEST_HEADERS", ...(extension === "traffic" ? ["RESPONSE_HEADERS"] : [])],
            ),
          },
        ],
      },
    ],
  });
  const plugin = [
    `gcloud service-extensions wasm-plugins create ${name}`,
    `--project=${quoted(project)} --location=${quoted(location)}`,
    `--main-version=${version}`,
    `--image=${quoted(image.digest === undefined ? image.name : `${nameWithoutTag(image.name)}@${image.digest}`)}`,
    ...(configuration === undefined ? [] : [`--plugin-config=${quoted(configuration)}`]),
  ];
  return `#!/bin/sh
${commentLines(`${head("google")}\nThe plugin, with its first version; another one: gcloud service-extensions wasm-plugin-versions create.\nThere, Action.Pause does nothing, and callouts, timers, metrics and shared data are not supported.`)}set -eu
${plugin.join(" \\\n  ")}

# Where it is used.
gcloud service-extensions lb-${extension}-extensions import ${name} \\
  --project=${quoted(project)} --location=${quoted(location)} --source=/dev/stdin <<'END_OF_EXTENSION'
${resource.replace(/^#\n/, "")}END_OF_EXTENSION
`;
}

function nameWithoutTag(name: string): string {
  return name.replace(/:[^/:]*$/, "");
}

/** A word of sh. */
function quoted(text: string): string {
  if (text.includes("\0")) throw new ManifestError("a command takes no configuration with the character U+0000");
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
