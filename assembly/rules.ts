// Higress' rules: one configuration for each route, domain or service, sent together as `_rules_` in a plugin's JSON
// configuration; the filter chooses. `import { Rules } from "proxy-wasm/assembly/rules"`.
// Source: Higress, plugins/wasm-go's pkg/matcher/rule_matcher.go and its WasmPlugin documentation.

import { MapType, Status } from "./abi";
import { proxy_get_property } from "./env";
import { HeaderMap } from "./header-map";
import { JsonType, JsonValue } from "./json";
import { logWarn } from "./log";
import { answerData, answerSize, answerText, beginCall, write, written } from "./memory";

/** What a rule is for, and the configuration that it stands for. */
class Rule<T> {
  constructor(
    readonly routes: string[],
    readonly routePrefixes: string[],
    readonly domains: string[],
    readonly services: string[],
    readonly consumers: string[],
    readonly config: T,
  ) {}

  /** A rule for routes looks at services as well, one for route prefixes at consumers; other combinations at one only. */
  isFor(route: string, domain: string, service: string, consumer: string): bool {
    if (this.routes.length) {
      return this.routes.includes(route) && (!this.services.length || isService(this.services, service));
    }
    if (this.domains.length) return isDomain(this.domains, domain);
    if (this.services.length) return isService(this.services, service);
    if (!isPrefix(this.routePrefixes, route)) return false;
    return !this.consumers.length || this.consumers.includes(consumer);
  }
}

/**
 * The configurations of a plugin in Higress: that of each rule, and the one for all else.
 *
 * ```ts
 * rules: Rules<Limits> | null = null;
 *
 * override onConfigure(_size: u32): bool {
 *   const config = parseJson(this.configurationBytes);
 *   this.rules = Rules.read<Limits>(config, (json) => new Limits(json));
 *   return config.accept();
 * }
 * ```
 *
 * and in `onRequestHeaders` of a stream: `const limits = this.plugin.rules!.match()`, with `null` for a request that no
 * rule is for. A rule has one or more of `_match_route_` (names), `_match_route_prefix_` (with `_match_consumer_`),
 * `_match_domain_` (`*.example.com`, `api.*`) and `_match_service_` (`name.namespace.svc.cluster.local`, with or without
 * `:port`); the first that fits counts. Unlike Higress' own SDK, it does not keep an older configuration of a rule that
 * is wrong: the whole configuration is refused then.
 */
export class Rules<T> {
  private readonly rules: Rule<T>[] = [];
  private common: T | null = null;

  /**
   * Reads the rules of a configuration; `make` is a plain function that reads one. Without `_rules_`, and with anything
   * beside them, it is called for the whole as well, which then stands for all requests that no rule is for. With rules,
   * the whole need not be a configuration: what is wrong is logged as a warning, and other requests have none.
   */
  static read<T>(config: JsonValue, make: (config: JsonValue) => T): Rules<T> {
    const rules = new Rules<T>();
    const members = config.members();
    const list = config.get("_rules_").items();
    if (members.length != 1 || !config.has("_rules_")) {
      const known = config.mistakes.length;
      const common = make(config);
      if (list.length && config.mistakes.length > known) {
        while (config.mistakes.length > known) logWarn("no common configuration: " + config.mistakes.pop());
      } else {
        rules.common = common;
      }
    } else if (!list.length) {
      config.get("_rules_").fail("at least one rule");
    }
    for (let i = 0; i < list.length; i++) {
      const json = unchecked(list[i]);
      const rule = new Rule<T>(
        names(json, "_match_route_"),
        names(json, "_match_route_prefix_"),
        names(json, "_match_domain_"),
        names(json, "_match_service_"),
        names(json, "_match_consumer_"),
        make(json),
      );
      if (rule.routes.length + rule.routePrefixes.length + rule.domains.length + rule.services.length) {
        rules.rules.push(rule);
      } else {
        json.fail("a rule with _match_route_, _match_route_prefix_, _match_domain_ or _match_service_");
      }
    }
    return rules;
  }

  /**
   * The configuration for the request whose callback is running; `null` when none is for it. For `onRequestHeaders`: it
   * reads `:authority` and `x-mse-consumer`, which are gone later, and the properties `xds.route_name` and
   * `xds.cluster_name`.
   */
  match(): T | null {
    if (this.rules.length) {
      const headers = HeaderMap.of(MapType.HttpRequestHeaders);
      const route = property("xds\0route_name", "route_name");
      const service = property("xds\0cluster_name", "cluster_name");
      const domain = withoutPort(headers.get(":authority") || "");
      const consumer = headers.get("x-mse-consumer") || "";
      for (let i = 0; i < this.rules.length; i++) {
        const rule = unchecked(this.rules[i]);
        if (rule.isFor(route, domain, service, consumer)) return rule.config;
      }
    }
    return this.common;
  }
}

/** The strings of a member; a single one may stand without brackets. */
function names(json: JsonValue, member: string): string[] {
  const found = new Array<string>();
  const value = json.get(member);
  if (value.type == JsonType.String) {
    found.push(value.text());
    return found;
  }
  const items = value.items();
  for (let i = 0; i < items.length; i++) {
    const name = unchecked(items[i]).text();
    if (name.length) found.push(name);
  }
  return found;
}

/** A property by its name of today, or by that of Envoy before 1.33, which Higress' own build has kept. */
function property(path: string, old: string): string {
  const answered = ask(changetype<usize>(path)) || ask(changetype<usize>(old));
  return answered ? answerText() : "";
}

function ask(path: usize): bool {
  beginCall();
  const at = write(path);
  return proxy_get_property(at, written, answerData, answerSize) == Status.Ok;
}

function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(":");
  // An IPv6 address has colons of its own, in brackets.
  return colon > authority.lastIndexOf("]") ? authority.substring(0, colon) : authority;
}

function isDomain(patterns: string[], domain: string): bool {
  for (let i = 0; i < patterns.length; i++) {
    const pattern = unchecked(patterns[i]);
    if (pattern.startsWith("*")) {
      if (domain.endsWith(pattern.substring(1))) return true;
    } else if (pattern.endsWith("*")) {
      if (domain.startsWith(pattern.substring(0, pattern.length - 1))) return true;
    } else if (domain == pattern) {
      return true;
    }
  }
  return false;
}

function isPrefix(prefixes: string[], route: string): bool {
  for (let i = 0; i < prefixes.length; i++) if (route.startsWith(unchecked(prefixes[i]))) return true;
  return false;
}

/** `cluster` is Istio's name of a cluster: `outbound|80||name.namespace.svc.cluster.local`. */
function isService(services: string[], cluster: string): bool {
  const parts = cluster.split("|");
  if (parts.length != 4) return false;
  const host = unchecked(parts[3]);
  const withPort = host + ":" + unchecked(parts[1]);
  for (let i = 0; i < services.length; i++) {
    const service = unchecked(services[i]);
    if (service == host || service == withPort) return true;
  }
  return false;
}
