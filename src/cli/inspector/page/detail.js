// One exchange: what happened in it, in words.

import { element } from "./dom.js";

/**
 * The parts of an exchange's page.
 * @param {any} exchange
 * @param {{ replay(): void, edit(): void, save(): void }} actions
 * @returns {Node[]}
 */
export function detail(exchange, actions) {
  return [
    ...title(exchange, actions),
    ...(exchange.trap
      ? [element("h3", {}, "The filter stopped"), element("pre", { className: "trap", textContent: exchange.trap })]
      : []),
    element("h3", {}, "What happened"),
    timeline(exchange),
    element("div", { className: "columns" }, side("Request", exchange.request), side("Response", exchange.response)),
    ...callouts(exchange),
  ];
}

function title({ id, method, path, status, milliseconds, details, canReplay }, actions) {
  const state = status === null ? "under way" : status === 0 ? "closed without an answer" : String(status);
  const facts = [`#${id}`, state, milliseconds === null ? "" : `${milliseconds.toFixed(1)} ms`, details].filter(
    Boolean,
  );
  const button = (text, onclick, disabled) =>
    element("button", { type: "button", textContent: text, onclick, disabled });
  return [
    element("h2", { className: "mono", textContent: `${method} ${path}` }),
    element("div", { className: `status-${String(status ?? 1)[0]}`, textContent: facts.join(" · ") }),
    element(
      "div",
      { className: "actions" },
      button("Replay", actions.replay, !canReplay),
      button("Edit and send", actions.edit, false),
      button("Save as a test", actions.save, status === null),
    ),
  ];
}

function timeline({ events, dropped }) {
  const row = (className, at, text) =>
    element(
      "div",
      { className },
      element("span", { className: "at", textContent: at }),
      element("span", { className: "what", textContent: text }),
    );
  const rows = events.map((event) => row(classOf(event), event.at.toFixed(1), textOf(event)));
  if (dropped) rows.push(row("call", "", `and ${dropped} more`));
  if (!rows.length) rows.push(row("", "", "No filter was called."));
  return element("div", { className: "timeline mono" }, ...rows);
}

function classOf(event) {
  if (event.kind === "call") return event.status === "Ok" ? "call" : "call refused";
  return event.kind === "log" ? `log ${event.level}` : event.kind;
}

function textOf(event) {
  const filter = event.filter === undefined ? "" : `${event.filter}: `;
  switch (event.kind) {
    case "callback":
      return `${filter}${event.name}(${event.args.join(", ")})${event.result === undefined ? "" : ` → ${event.result}`}`;
    case "call":
      return `${filter}${event.name} → ${event.status}${event.reason === undefined ? "" : `: ${event.reason}`}`;
    case "log":
      return `${filter}log ${event.level}: ${event.message}`;
    default:
      return `${filter}${event.text}`;
  }
}

function side(name, { before, after, headers }) {
  const box = element("div", {}, element("h3", {}, name));
  if (!before && !after) {
    box.append(element("p", { className: "quiet", textContent: "There is none." }));
    return box;
  }
  const who =
    name === "Request"
      ? ["came from the client", "went to the upstream"]
      : ["came from the upstream", "went to the client"];
  if (!before)
    box.append(element("p", { className: "quiet", textContent: `The proxy or a filter made it; it ${who[1]}.` }));
  if (!after) box.append(element("p", { className: "quiet", textContent: `It ${who[0]} and went no further.` }));
  const signs = { same: " ", added: "+", removed: "-" };
  const lines = headers.map(({ kind, name: header, value }) =>
    element("div", { className: kind, textContent: `${signs[kind]} ${header}: ${value}` }),
  );
  box.append(element("div", { className: "diff mono" }, ...lines));
  if (before && after && bodyText(before) !== bodyText(after)) {
    box.append(...body("Body before", before), ...body("Body after", after));
  } else {
    box.append(...body("Body", after ?? before));
  }
  return box;
}

function body(title, message) {
  const parts = [];
  if (message.size) {
    const size = `${message.size} bytes${message.whole ? "" : ", of which the first are shown"}`;
    parts.push(element("h4", { textContent: `${title}, ${size}` }), element("pre", { textContent: bodyText(message) }));
  }
  if (message.trailers.length) {
    const text = message.trailers.map(([name, value]) => `${name}: ${value}`).join("\n");
    parts.push(element("h4", { textContent: "Trailers" }), element("pre", { textContent: text }));
  }
  return parts;
}

function bodyText({ text, base64 }) {
  return text ?? `(bytes, in base 64)\n${base64}`;
}

function callouts({ callouts: calls, grpcCalls, droppedCalls }) {
  if (!calls.length && !grpcCalls.length) return [];
  const parts = [element("h3", {}, "Callouts")];
  for (const call of calls) {
    const outcome = call.status === null ? call.state : String(call.status);
    const lines = [
      `${call.method} ${call.path}`,
      ...call.headers.map(([name, value]) => `${name}: ${value}`),
      ...(call.body ? ["", call.body] : []),
      "",
      `→ ${outcome}`,
      ...call.responseHeaders.map(([name, value]) => `${name}: ${value}`),
      ...(call.responseBody ? ["", call.responseBody] : []),
      ...(call.whole ? [] : ["", "(too long to be kept whole)"]),
    ];
    parts.push(
      element("h4", { textContent: `${call.cluster}: ${outcome}` }),
      element("pre", { textContent: lines.join("\n") }),
    );
  }
  for (const { cluster, service, method, isStream, state, result, messages } of grpcCalls) {
    const outcome = result ? `status ${result.status} ${result.message}` : state;
    const text = `${isStream ? "stream" : "call"} ${service}/${method}, ${messages} messages sent\n→ ${outcome}`;
    parts.push(element("h4", { textContent: `${cluster}: gRPC` }), element("pre", { textContent: text }));
  }
  if (droppedCalls) parts.push(element("p", { textContent: `and ${droppedCalls} more` }));
  return parts;
}
