// The first line of a request, and the host that it is for: what Envoy's HTTP/1 codec takes, and how the filters see it.

import { list, property, type Request, type Scenario } from "../scenario.ts";

const seen = [list(0), property("request", "scheme"), property("request", "host"), property("request", "path")];

const asked = (name: string, request: Request): Scenario => ({
  name,
  on: { request_headers: seen, log: [list(0), property("response", "code_details")] },
  request,
});
const path = (target: string): Scenario => asked(`GET ${target}`, { path: target });
const connect = (target: string): Scenario => asked(`CONNECT ${target}`, { method: "CONNECT", path: target });

const paths = [
  "//x",
  "/x?a=/b#c",
  "*",
  "*x",
  "foo",
  "foo/bar",
  "?x",
  "#x",
  "a.test:1",
  "http:x",
  "http:/x",
  "://x",
  "a://x/",
  "ht1://x/",
  "ftp://a.test/x",
  "ftp://u@@h/",
  "HTTP://A.test/b",
  "https://a.test/b",
  "http://a.test",
  "http://a.test?x",
  "http://a.test/b#c",
  "http://",
  "http:///x",
  "http://?x",
  "http://u@a.test/",
  "http://u:p@a.test:81/",
  "http://u@@a.test/",
  'http://a".test/',
  "http://a;b.test/",
  "http://a_b.test/",
  "http://a%20b.test/",
  "http://a.test:80/",
  "http://a.test:65535/",
  "http://a.test:65536/",
  "http://a.test:/x",
  "http://a.test:x/",
  "http://[::1]/x",
  "http://[::1]:81/x",
  "http://::1/x",
  "http://[1.2.3.4]/",
  "http://[1::2::3]/",
  "http://[]/",
  "http://@a.test/",
  "http://u@/",
  "http://u@b@a.test/",
  "http://a.test:00080/",
  "http://a.test#f",
  "http://a.test/?#f",
  "h1://a.test/",
  "1h://a.test/",
  "h+t.t-p://a.test/",
  "h_://a.test/",
];
const targets = ["a.test:1", "[::1]:80", "a.test", "a.test:", "a.test:0", "a.test:65536", "a.test:x", ":80", "/x", "*"];
const methods = ["MSEARCH", "M-SEARCH", "UNSUBSCRIBE", "PRI", "BREW", "get", "TRACE", "QUERY"];

export const target: readonly Scenario[] = [
  ...paths.map(path),
  ...targets.map(connect),
  connect("a@@b:1"),
  connect("a.test:1/x"),
  connect("http://a.test/"),
  connect("@a.test:1"),
  connect("a_b.test:1"),
  ...methods.map((method) => asked(`the method ${method}`, { method, path: "/x" })),
  asked("QUERY with a type", { method: "QUERY", path: "/x", headers: [["content-type", "a/b"]] }),
  asked("QUERY with an empty type", { method: "QUERY", path: "/x", headers: [["content-type", ""]] }),
  asked("OPTIONS *", { method: "OPTIONS", path: "*" }),
  asked("OPTIONS *x", { method: "OPTIONS", path: "*x" }),
  asked("TRACE with a body", { method: "TRACE", body: "x" }),
  asked("no path, with headers of all sorts", {
    path: "/#",
    headers: [
      ["connection", "x-a, te"],
      ["x-a", "1"],
      ["keep-alive", "timeout=5"],
      ["te", "gzip"],
      ["expect", "100-continue"],
      ["x-forwarded-proto", "https"],
      ["x-envoy-max-retries", "1"],
      ["x-request-id", "1"],
      ["accept", "a"],
      ["Accept", "b"],
    ],
  }),
  asked("no path, and an upgrade", {
    path: "/#",
    headers: [
      ["connection", "upgrade"],
      ["upgrade", "websocket"],
    ],
  }),
  asked("an upgrade that nobody allows", {
    headers: [
      ["connection", "upgrade"],
      ["upgrade", "websocket"],
      ["x-envoy-max-retries", "1"],
    ],
  }),
  asked("a second host beside a whole URL", { path: "http://a.test/", headers: [["host", "b.test"]] }),
  asked("a second host that is none beside a whole URL", { path: "http://a.test/", headers: [["host", 'a"b']] }),
  asked("a second host", { headers: [["host", "b.test"]] }),
  asked("a second host that is empty", { headers: [["host", ""]] }),
];
