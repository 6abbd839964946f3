// Which headers have values that nobody is to see.

import { expect, test } from "vitest";

import { isCredential } from "../src/http/credential-headers.ts";
import { masked, Secrets } from "../src/serve/mask.ts";

const credentials = `
  authorization proxy-authorization x-forwarded-authorization x-original-authorization x-serverless-authorization
  X-Authorization x-auth x-auth-token x-auth-key x-api-auth x-basic-auth cookie set-cookie cookie2 set-cookie2 dpop
  x-forwarded-client-cert x-amz-security-token x-api-key apikey x-apikey x-access-key x-goog-api-key x-goog-iap-jwt-assertion
  x-vault-token x-csrf-token x-client-secret x-pass x-passwd x-password x-passphrase pwd x-db-pwd x-session-id sessionid
  x-hub-signature-256 x-private-key private-token x-credentials`;

const others = `
  :authority accept author x-author authority www-authenticate proxy-authenticate content-type etag host x-request-id
  x-forwarded-for x-envoy-original-path sec-websocket-key idempotency-key access-control-allow-credentials
  access-control-allow-headers x-passenger x-bypass x-compass x-keyboard dpop-nonce`;

const words = (text: string): string[] => text.trim().split(/\s+/);

test.each(words(credentials))("%s is a credential", (name) => {
  expect(isCredential(name)).toBe(true);
});

test.each(words(others))("%s is none", (name) => {
  expect(isCredential(name)).toBe(false);
});

test("the kind of a credential stays", () => {
  expect(masked("x-forwarded-authorization", "Bearer abc")).toBe("Bearer [masked]");
  expect(masked("authorization", "DPoP abc")).toBe("DPoP [masked]");
  expect(masked("dpop", "abc")).toBe("[masked]");
  expect(masked("x-author", "Ada")).toBe("Ada");
});

test("short ones are hidden where they are all of a text, of a string of JSON, or behind their kind", () => {
  const secrets = new Secrets();
  secrets.add("authorization", "Bearer good");
  secrets.add("cookie", "a=b");
  expect(secrets.redact('{"authorization":"Bearer good","cookie":"a=b","token":"good"}')).toBe(
    '{"authorization":"[masked]","cookie":"[masked]","token":"[masked]"}',
  );
  expect(secrets.redact("asked with Bearer good")).toBe("asked with [masked]");
  expect(secrets.shown("x-copied", "good")).toBe("[masked]");
  expect(new TextDecoder().decode(secrets.redactBytes(new TextEncoder().encode("good")))).toBe("[masked]");
  expect(secrets.redact("all is good if a=b")).toBe("all is good if a=b");
  expect(secrets.restore("[masked]!", "good")).toBe("good!");
});

test("what is shorter than three letters is found nowhere else", () => {
  const secrets = new Secrets();
  secrets.add("x-api-key", "ab");
  expect(secrets.shown("x-copied", "ab")).toBe("ab");
  expect(secrets.shown("x-api-key", "ab")).toBe("[masked]");
});
