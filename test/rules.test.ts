// Higress' per-route rules: which configuration a request gets. Routes and clusters are given as properties here; that a
// proxy has them, test/envoy-rules.test.ts shows.

import { beforeAll, describe, expect, test } from "vitest";

import { LoadError, loadFilter } from "../src/index.ts";
import { type Compiled, compileFilter } from "./support/compile.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("rules");
});

interface Request {
  readonly route?: string;
  readonly host?: string;
  readonly cluster?: string;
  readonly consumer?: string;
}

/** The name of the configuration that a request gets. */
async function chosen(config: unknown, request: Request, prefix = "xds."): Promise<string> {
  const { route, host = "a.example.com", cluster, consumer } = request;
  // null takes away what there would be.
  const properties = {
    "xds.route_name": null,
    "xds.cluster_name": null,
    [`${prefix}route_name`]: route ?? null,
    [`${prefix}cluster_name`]: cluster ?? null,
  };
  const filter = await loadFilter(compiled.bytes, { config, properties });
  const headers = { host, ...(consumer !== undefined && { "x-mse-consumer": consumer }) };
  return (await filter.request({ path: "/", headers })).text();
}

const rule = (match: object, name = "rule"): object => ({ ...match, name });
const withRules = (...rules: object[]): object => ({ name: "common", _rules_: rules });
const cluster = "outbound|8080||shop.prod.svc.cluster.local";

describe("a rule is for", () => {
  test.each<[string, object, Request, boolean]>([
    ["a route by its name", { _match_route_: ["a", "b"] }, { route: "b" }, true],
    ["no other route", { _match_route_: ["a", "b"] }, { route: "ab" }, false],
    ["no request without a route", { _match_route_: ["a"] }, {}, false],
    ["a domain", { _match_domain_: ["a.example.com"] }, { host: "a.example.com" }, true],
    ["a domain with a port", { _match_domain_: ["a.example.com"] }, { host: "a.example.com:8080" }, true],
    ["no other domain", { _match_domain_: ["example.com"] }, { host: "a.example.com" }, false],
    ["domains that end so", { _match_domain_: ["*.example.com"] }, { host: "b.example.com" }, true],
    ["no domain that ends otherwise", { _match_domain_: ["*.example.com"] }, { host: "example.com" }, false],
    ["domains that begin so", { _match_domain_: ["api.*"] }, { host: "api.example.org:80" }, true],
    ["every domain", { _match_domain_: ["*"] }, { host: "x" }, true],
    ["an IPv6 address", { _match_domain_: ["[::1]"] }, { host: "[::1]" }, true],
    ["an IPv6 address with a port", { _match_domain_: ["[::1]"] }, { host: "[::1]:80" }, true],
    ["a service", { _match_service_: ["shop.prod.svc.cluster.local"] }, { cluster }, true],
    ["a service and its port", { _match_service_: ["shop.prod.svc.cluster.local:8080"] }, { cluster }, true],
    ["no other port", { _match_service_: ["shop.prod.svc.cluster.local:80"] }, { cluster }, false],
    ["no cluster of another form", { _match_service_: ["upstream"] }, { cluster: "upstream" }, false],
    ["routes that begin so", { _match_route_prefix_: ["shop/"] }, { route: "shop/cart" }, true],
    ["no route that begins otherwise", { _match_route_prefix_: ["shop/"] }, { route: "shop" }, false],
    [
      "a route of a service",
      { _match_route_: ["a"], _match_service_: ["shop.prod.svc.cluster.local"] },
      { route: "a", cluster },
      true,
    ],
    [
      "no other service of a route",
      { _match_route_: ["a"], _match_service_: ["other"] },
      { route: "a", cluster },
      false,
    ],
    [
      "a consumer's routes",
      { _match_route_prefix_: ["a"], _match_consumer_: ["me"] },
      { route: "ab", consumer: "me" },
      true,
    ],
    [
      "no other consumer",
      { _match_route_prefix_: ["a"], _match_consumer_: ["me"] },
      { route: "ab", consumer: "you" },
      false,
    ],
    ["no unknown consumer", { _match_route_prefix_: ["a"], _match_consumer_: ["me"] }, { route: "ab" }, false],
    ["a name without brackets", { _match_route_: "a" }, { route: "a" }, true],
    ["a route before a domain", { _match_route_: ["a"], _match_domain_: ["b"] }, { route: "a" }, true],
  ])("%s", async (_, match, request, fits) => {
    expect(await chosen(withRules(rule(match)), request)).toBe(fits ? "rule" : "common");
  });
});

describe("of several configurations", () => {
  const rules = [rule({ _match_route_: ["a"] }, "first"), rule({ _match_route_: ["a", "b"] }, "second")];

  test("the first that fits counts", async () => {
    expect(await chosen(withRules(...rules), { route: "a" })).toBe("first");
    expect(await chosen(withRules(...rules), { route: "b" })).toBe("second");
  });

  test("one is found where properties have their old names", async () => {
    expect(await chosen(withRules(...rules), { route: "b" }, "")).toBe("second");
  });

  test("there is none for other requests, when only rules were given", async () => {
    expect(await chosen({ _rules_: rules }, { route: "c" })).toBe("none");
  });

  test("the common one stands alone without rules", async () => {
    expect(await chosen({ name: "common" }, { route: "a" })).toBe("common");
  });

  test("a common one that is none is left out, with a warning", async () => {
    const lines: string[] = [];
    const config = { nmae: "common", _rules_: rules };
    await loadFilter(compiled.bytes, { config, onLog: ({ message }) => lines.push(message) });
    expect(lines.join("\n")).toMatch(/no common configuration: configuration, name .*expected a string, found nothing/);
    expect(await chosen(config, { route: "c" })).toBe("none");
    expect(await chosen(config, { route: "a" })).toBe("first");
  });
});

describe("a configuration is refused", () => {
  test.each<[string, object, RegExp]>([
    ["with a rule for nothing", { _rules_: [rule({})] }, /_rules_\[0\].*expected a rule with _match_route_/],
    [
      "with a rule that is wrong",
      { _rules_: [{ _match_route_: ["a"], nmae: 1 }] },
      /_rules_\[0\]\.name .*found nothing/,
    ],
    ["with rules that are no list", { name: "a", _rules_: { a: 1 } }, /_rules_ .*expected an array, found an object/],
    [
      "with a match that is no text",
      { _rules_: [rule({ _match_route_: [1] })] },
      /_match_route_\[0\] .*expected a string/,
    ],
    ["without any rule or other member", { _rules_: [] }, /_rules_ .*expected at least one rule/],
    ["that is empty, of a plugin that needs one", {}, /name .*expected a string, found nothing/],
  ])("%s", async (_, config, reason) => {
    const error = await loadFilter(compiled.bytes, { config }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LoadError);
    expect((error as LoadError).message).toMatch(reason);
  });
});
