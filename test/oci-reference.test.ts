// Names of images: what Istio parses, how it is understood, and what is refused before anything is sent.

import { describe, expect, test } from "vitest";

import { isInternal, isLoopback, istioRefusesRealm } from "../src/oci/hosts.ts";
import { formatReference, parseReference } from "../src/oci/reference.ts";
import { command } from "./support/command.ts";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("references", () => {
  test.each([
    ["ghcr.io/acme/my-filter:1.0.0", "ghcr.io/acme/my-filter:1.0.0"],
    ["oci://ghcr.io/acme/my-filter:1.0.0", "ghcr.io/acme/my-filter:1.0.0"],
    ["localhost:5000/acme/f", "localhost:5000/acme/f"],
    ["[::1]:5000/acme/f:1", "[::1]:5000/acme/f:1"],
    [`example.com/a/b/c__d@${digest}`, `example.com/a/b/c__d@${digest}`],
    [`example.com/ab:1@${digest}`, `example.com/ab:1@${digest}`],
    ["acme/my-filter:1", "docker.io/acme/my-filter:1"],
    ["docker.io/my-filter:1", "docker.io/library/my-filter:1"],
    ["index.docker.io/acme/my-filter", "docker.io/acme/my-filter"],
  ])("reads %s as %s", (text, name) => {
    expect(formatReference(parseReference(text))).toBe(name);
  });

  test.each([
    ["", /a repository's name has from 2 to 255 characters/],
    ["https://ghcr.io/acme/f:1", /it begins with https:\/\/; an image's reference begins with oci:\/\//],
    ["ghcr.io/Acme/my-filter:1", /a repository's name consists of a-z, 0-9/],
    ["ghcr.io/f:1", /a repository's name has from 2 to 255 characters/],
    [`ghcr.io/${"a".repeat(256)}:1`, /from 2 to 255 characters/],
    ["ghcr.io/acme/my filter:1", /consists of a-z/],
    ["ghcr.io/acme/../my-filter:1", /each part of a repository's name begins and ends with a letter/],
    ["ghcr.io/acme/my-filter:", /a tag has from 1 to 128 characters/],
    ["ghcr.io/acme/my-filter:1+2", /a tag has from 1 to 128 characters/],
    ["ghcr.io/acme/my-filter:.1", /a tag does not begin with/],
    ["ghcr.io/acme/my-filter@sha256:12", /behind @ stands a digest: sha256: and 64 digits/],
    [`ghcr.io/acme/f@${digest}@${digest}`, /behind @ stands a digest/],
    ["my-filter:1", /name the registry too: docker\.io\/library\/my-filter:1/],
    ["localhost/acme/f:1", /localhost needs its port/],
    ["ghcr.io:port/acme/f:1", /"ghcr\.io:port" is no registry/],
    ["ghcr.io/acme/f@latest", /behind @ stands a digest/],
    ["ghcr.io:99999/acme/f:1", /"ghcr\.io:99999" is no registry/],
  ])("refuses %s with exit code 2", async (text, message) => {
    const { code, stderr } = await command(["push", text]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  test.each([
    "me:s3cret@ghcr.io/acme/f:1",
    "oci://me:s3cret@ghcr.io/acme/f:1",
    "https://me:s3cret@ghcr.io/acme/f.tar",
    "me:s3/cret@localhost:5000/acme/f:1",
    `me:s3cret@ghcr.io/acme/f@${digest}`,
    "me:s3cret@x@ghcr.io/acme/f",
    "s3cret@ghcr.io",
    "me:s3cret@",
  ])("refuses a login in %s, without showing it", async (text) => {
    for (const name of ["push", "pull", "verify"]) {
      const { code, stderr } = await command([name, text]);
      expect(stderr).toMatch(/^error: the reference has a login in it, before @; leave it out: --username/);
      expect(code).toBe(2);
    }
  });

  test("refuses to push to a digest, and without a tag", async () => {
    expect(await command(["push", `ghcr.io/acme/f@${digest}`])).toMatchObject({ code: 2 });
    expect((await command(["push", "ghcr.io/acme/f"])).stderr).toMatch(/has no tag; one such as :1\.0\.0 was expected/);
    expect((await command(["push", "ghcr.io/acme/f:1", "--tag", "a b"])).stderr).toMatch(
      /'a b' is invalid\. A tag has up to/,
    );
  });
});

test.each([
  ['Bearer realm="https://auth.example.com/token",service="s"', undefined],
  ['Basic realm="Registry"', 'rejected unsafe bearer realm: realm scheme "" not allowed'],
  ['Bearer realm="ftp://auth.example.com/"', 'rejected unsafe bearer realm: realm scheme "ftp" not allowed'],
  ['Bearer realm="http://localhost:5001/token"', "rejected unsafe bearer realm: realm targets localhost"],
  ['Bearer realm="https://10.0.0.1/"', "rejected unsafe bearer realm: realm targets private/loopback/link-local IP"],
  [
    'Bearer realm="http://[::ffff:127.0.0.1]/"',
    "rejected unsafe bearer realm: realm targets private/loopback/link-local IP",
  ],
  ['Bearer realm="http://100.64.0.1/"', undefined],
  ['Bearer realm="http://[fe80::1]/"', "rejected unsafe bearer realm: realm targets private/loopback/link-local IP"],
  [
    'Bearer realm="http://metadata.google.internal/"',
    "rejected unsafe bearer realm: realm targets cloud metadata service",
  ],
])("Istio and the challenge %s", (challenge, refusal) => {
  expect(istioRefusesRealm(challenge)).toBe(refusal);
});

describe("hosts", () => {
  const hostname = (host: string): string => new URL(`http://${host}/`).hostname;

  test.each([
    "localhost",
    "localhost.",
    "a.localhost",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::10.0.0.1]",
    "[2002:a00:1::]",
    "0.0.0.0",
    "[::]",
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[ff02::1]",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
  ])("%s is nothing that a stranger may point at", (host) => {
    expect(isInternal(hostname(host))).toBe(true);
  });

  test.each([
    "ghcr.io",
    "localhost.example",
    "127.0.0.1.example",
    "metadata.google.internal.example",
    "9.255.255.255",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "193.168.0.1",
    "[2606:4700::1]",
    "[::ffff:8.8.8.8]",
  ])("%s is", (host) => {
    expect(isInternal(hostname(host))).toBe(false);
  });

  test.each([
    ["localhost", true],
    ["127.0.0.1", true],
    ["[::1]", true],
    ["[::ffff:127.0.0.1]", true],
    ["0.0.0.0", false],
    ["10.0.0.1", false],
    ["127.0.0.1.example", false],
  ])("whether %s is this machine: %s", (host, expected) => {
    expect(isLoopback(hostname(host))).toBe(expected);
  });
});
