// What test/filters/foreign.ts makes of Envoy's foreign functions: the same on the host and in a real Envoy.

import { generateKeyPairSync, sign as signText, verify as verifyText } from "node:crypto";
import { deflateSync, inflateSync } from "node:zlib";

import { expect, test } from "vitest";

import { bytesField as bytes, numberField as number } from "./protobuf.ts";

/** Sends a request with these headers through the filter and gives the answer's text without the newline. */
export type Send = (headers: Record<string, string>) => Promise<string>;

const hex = (value: string | Uint8Array): string => Buffer.from(value as string).toString("hex");
const message = (...fields: Buffer[]): Buffer => Buffer.concat(fields);

/** The tests. `send` is asked when they run. */
export function testForeignFunctions(send: Send): void {
  const call = (name: string, argument: string | Uint8Array = ""): Promise<string> =>
    send({ "x-call": name, "x-argument": hex(argument) });
  const typed = (name: string, headers: Record<string, string> = {}): Promise<string> =>
    send({ "x-call": name, "x-typed": "1", ...headers });

  test("a name that nobody knows is NotFound", async () => {
    for (const name of ["nothing", "resolve_dns", "get_log_level", "Compress", "__proto__", ""]) {
      expect(`${name}: ${await call(name)}`).toBe(`${name}: 1`);
    }
  });

  test("compress makes a zlib stream, byte for byte for short texts", async () => {
    expect(await call("compress")).toBe("0 789c030000000001");
    expect(await call("compress", "zzzz")).toBe("0 789cabaaaaaa020004c801e9");
    const text = "the quick brown fox ".repeat(100);
    const [status, result] = (await call("compress", text)).split(" ");
    expect(status).toBe("0");
    expect(inflateSync(Buffer.from(result!, "hex")).toString()).toBe(text);
    expect(await typed("compress", { "x-argument": hex("zzzz") })).toBe("789cabaaaaaa020004c801e9");
  });

  test("uncompress takes it back, and refuses what is no zlib stream", async () => {
    const stream = deflateSync("hello");
    expect(await call("uncompress", stream)).toBe(`0 ${hex("hello")}`);
    expect(await call("uncompress", deflateSync(""))).toBe("0 ");
    expect(await call("uncompress", Buffer.concat([stream, Buffer.from("more")]))).toBe(`0 ${hex("hello")}`);
    const wrong = Uint8Array.from(stream);
    wrong[wrong.length - 1]! ^= 1;
    for (const junk of ["", "junk", stream.subarray(0, 8), wrong]) expect(await call("uncompress", junk)).toBe("3");
    expect(await typed("uncompress", { "x-argument": hex(stream) })).toBe(hex("hello"));
    expect(await typed("uncompress", { "x-argument": hex("junk") })).toBe("null 3");
  });

  test("clear_route_cache answers nothing, whatever it is given", async () => {
    expect(await call("clear_route_cache", "junk")).toBe("0 ");
    expect(await typed("clear_route_cache")).toBe("0");
  });

  const state = (name: string, value: string) =>
    call("set_envoy_filter_state", message(bytes(1, name), bytes(2, value)));

  test("set_envoy_filter_state knows Envoy's objects", async () => {
    expect(await state("envoy.tcp_proxy.cluster", "blue")).toBe("0 ");
    expect(await state("envoy.string", "")).toBe("0 ");
    expect(await state("nothing", "blue")).toBe("1");
    expect(await call("set_envoy_filter_state")).toBe("1");
    expect(await call("set_envoy_filter_state", "junk")).toBe("2");
    expect(await call("set_envoy_filter_state", message(bytes(1, "envoy.string"), bytes(2, Uint8Array.of(0xff))))).toBe(
      "2",
    );
    const set = (value: string) =>
      typed("set_envoy_filter_state", { "x-name": "envoy.tcp_proxy.cluster", "x-value": value });
    expect(await set("blue")).toBe("0");
    expect(await typed("set_envoy_filter_state", { "x-name": "nothing", "x-value": "" })).toBe("1");
  });

  test.each([
    [
      "envoy.ratelimit.hits_addend",
      ["0", "007", "+5", " 5 ", "4294967295"],
      ["", "a", "-1", "4294967296", "0x10", "1e3"],
    ],
    ["envoy.upstream.dynamic_port", ["80", "65536"], ["a", "4294967296"]],
    ["envoy.tcp_proxy.per_connection_idle_timeout_ms", ["18446744073709551615"], ["18446744073709551616", "1.5"]],
    ["envoy.tcp_proxy.disable_tunneling", ["true", "a", ""], []],
    ["envoy.ai.model.request", ["a"], [""]],
    ["envoy.network.ip", ["1.2.3.4", "::1", "0:0::1"], ["1.2.3.4:80", "[::1]", "01.2.3.4", "1.2.3", "a", ""]],
    [
      "envoy.network.transport_socket.original_dst_address",
      ["1.2.3.4:80", "[::1]:80", "1.2.3.4:0"],
      ["1.2.3.4", "1.2.3.4:65536", "1.2.3.4:", "::1", "a:80", ""],
    ],
    ["envoy.network.transport_socket.http_11_proxy.info", ["a,1.2.3.4:80"], ["1.2.3.4:80,a", "1.2.3.4:80", ""]],
  ])("%s takes some texts only", async (name, good, bad) => {
    for (const value of good) expect(`${value}: ${await state(name, value)}`).toBe(`${value}: 0 `);
    for (const value of bad) expect(`${value}: ${await state(name, value)}`).toBe(`${value}: 2`);
  });

  test("declare_property takes every message", async () => {
    expect(await call("declare_property", message(bytes(1, "p"), number(2, 1), number(3, 1), number(5, 2)))).toBe("0 ");
    expect(await call("declare_property")).toBe("0 ");
    expect(await call("declare_property", message(number(3, 99), number(15, 1)))).toBe("0 ");
    expect(await call("declare_property", "junk")).toBe("2");
    expect(await call("declare_property", message(bytes(1, Uint8Array.of(0xff))))).toBe("2");
    expect(await typed("declare_property", { "x-name": "q" })).toBe("0");
  });

  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });

  test.each([
    ["RSA", rsa],
    ["ECDSA", ec],
  ])("%s signatures are made and verified, with keys in DER and PEM", async (_, pair) => {
    const publicDer = pair.publicKey.export({ type: "spki", format: "der" });
    const privateDer = pair.privateKey.export({ type: "pkcs8", format: "der" });
    const publicPem = pair.publicKey.export({ type: "spki", format: "pem" }).toString().replaceAll("\n", "|");
    const privatePem = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString().replaceAll("\n", "|");
    const signature = signText("sha256", Buffer.from("text"), pair.privateKey);
    const common = { "x-hash": "sha256", "x-argument": hex("text") };
    const verify = (headers: Record<string, string>) =>
      typed("verify_signature", { ...common, "x-signature": hex(signature), ...headers });
    expect(await verify({ "x-key": hex(publicDer) })).toBe("ok  ");
    expect(await verify({ "x-key": hex(publicDer), "x-hash": "SHA256" })).toBe("ok  ");
    expect(await verify({ "x-key": `${hex(publicDer)}00` })).toBe("ok  ");
    expect(await verify({ "x-pem": publicPem })).toBe("ok  ");
    const noFit = "no  Failed to verify digest. Error code: 0";
    expect(await verify({ "x-key": hex(publicDer), "x-argument": hex("other") })).toBe(noFit);
    expect(await verify({ "x-key": hex(publicDer), "x-signature": "00" })).toBe(noFit);
    expect(await verify({ "x-key": hex(publicDer), "x-hash": "sha1" })).toBe(noFit);
    expect(await verify({ "x-key": hex(privateDer) })).toBe("no  Failed to initialize digest verify.");
    for (const key of [{ "x-key": hex(privateDer) }, { "x-pem": privatePem }] as Record<string, string>[]) {
      const [ok, made] = (await typed("sign", { ...common, ...key })).split(" ");
      expect(ok).toBe("ok");
      expect(verifyText("sha256", Buffer.from("text"), pair.publicKey, Buffer.from(made!, "hex"))).toBe(true);
    }
  });

  test("signatures fail in Envoy's words", async () => {
    const ed = generateKeyPairSync("ed25519");
    const other = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
    const der = (key: typeof ed.privateKey) => key.export({ type: "pkcs8", format: "der" });
    const spki = (key: typeof ed.publicKey) => key.export({ type: "spki", format: "der" });
    const pem = ec.privateKey.export({ type: "sec1", format: "pem" }).toString();
    const signed = (...fields: Buffer[]) => call("sign", message(bytes(1, "sha256"), bytes(3, "text"), ...fields));
    const because = (reason: string) => `0 ${hex(bytes(3, reason))}`;
    const noKey = because("Invalid key type: private key required for signing operation.");
    const unusable = because("Invalid private key: key data is corrupted or malformed.");
    expect(await call("sign")).toBe("2");
    expect(await call("sign", "junk")).toBe("2");
    expect(await call("verify_signature")).toBe("2");
    expect(await call("verify_signature", "junk")).toBe("2");
    expect(await signed(bytes(2, der(rsa.privateKey)), bytes(4, pem))).toBe("2");
    expect(await signed(bytes(2, "junk"))).toBe(noKey);
    expect(await signed(bytes(4, "junk"))).toBe(noKey);
    expect(await signed(bytes(2, spki(rsa.publicKey)))).toBe(noKey);
    expect(await signed(bytes(2, der(other.privateKey)))).toBe(noKey);
    expect(await signed(bytes(2, ec.privateKey.export({ type: "sec1", format: "der" })))).toBe(noKey);
    expect(await signed(bytes(2, der(ed.privateKey)))).toBe(unusable);
    expect(await signed(bytes(4, pem))).toMatch(/^0 0801/);
    expect(await signed(bytes(4, `before\n${pem.replaceAll("\n", "\r\n")}after`))).toMatch(/^0 0801/);
    expect(await call("sign", message(bytes(1, "md5"), bytes(2, "junk")))).toBe(because("md5 is not supported."));
    const verified = (key: Buffer) =>
      call("verify_signature", message(bytes(1, "sha256"), bytes(2, key), bytes(3, "x"), bytes(4, "text")));
    const notStarted = `0 ${hex(bytes(2, "Failed to initialize digest verify."))}`;
    expect(await verified(spki(ed.publicKey))).toBe(notStarted);
    expect(await verified(spki(other.publicKey))).toBe(notStarted);
    expect(await call("verify_signature", bytes(2, "junk"))).toBe(`0 ${hex(bytes(2, " is not supported."))}`);
    expect(await typed("sign", { "x-hash": "sha256" })).toBe("no  the key is none");
  });
}
