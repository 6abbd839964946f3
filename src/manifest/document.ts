// What manifests have in common: how they begin, and the form of those that are objects of Kubernetes.

/** The first lines of every manifest. */
export function head(target: string): string {
  return `Written by: proxy-wasm manifest ${target}\nChange proxy-wasm.json and write it again, or change what a comment says may be changed.`;
}

/** A Kubernetes object. */
export function kubernetesObject(
  kind: `${string}/${string}/${string}`,
  name: string,
  namespace: unknown,
  spec: object,
): object {
  const slash = kind.lastIndexOf("/");
  return { apiVersion: kind.slice(0, slash), kind: kind.slice(slash + 1), metadata: { name, namespace }, spec };
}
