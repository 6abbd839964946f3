// The page: the list of exchanges, kept up to date, and the one that is looked at.

import { detail } from "./detail.js";
import { api, attempt, byId, element, tell } from "./dom.js";
import { editor } from "./editor.js";

/** Summaries by number. */
const summaries = new Map();
/** The buttons of the list, by number. */
const buttons = new Map();
let selected = Number(location.hash.slice(1)) || undefined;
let isEditing = false;

function showList() {
  const wanted = byId("search").value.trim().toLowerCase();
  for (const [id, button] of buttons) {
    const { method, path, status } = summaries.get(id);
    button.parentElement.hidden = !`${method} ${path} ${status ?? ""}`.toLowerCase().includes(wanted);
    button.setAttribute("aria-current", String(id === selected));
  }
  byId("empty").hidden = buttons.size > 0;
}

function update(summary) {
  summaries.set(summary.id, summary);
  let button = buttons.get(summary.id);
  if (!button) {
    button = element("button", { type: "button", onclick: () => select(summary.id) });
    buttons.set(summary.id, button);
    byId("list").prepend(element("li", {}, button));
  }
  const { method, path, status, milliseconds, trapped } = summary;
  button.replaceChildren(
    element("span", {
      className: `status-${String(status ?? 1)[0]}`,
      textContent: status === null ? "…" : `${status || "–"}${trapped ? " !" : ""}`,
    }),
    element("span", { className: "path", textContent: `${method} ${path}`, title: `${method} ${path}` }),
    element("span", { className: "time", textContent: milliseconds === null ? "" : `${milliseconds.toFixed(1)} ms` }),
  );
}

function select(id) {
  selected = id;
  isEditing = false;
  // What was said of another one.
  tell("");
  history.replaceState(null, "", `#${id}`);
  showList();
  void attempt(showDetail);
}

async function showDetail() {
  if (selected === undefined || isEditing) return;
  const exchange = await api(`exchanges/${selected}`);
  if (isEditing || exchange.id !== selected) return;
  byId("detail").replaceChildren(
    ...detail(exchange, {
      replay: () =>
        attempt(async () => {
          await api(`exchanges/${exchange.id}/replay`, {});
          tell("Sent again. The new exchange stands in the list.");
        }),
      edit: () => edit(exchange),
      save: () => askForTitle(exchange),
    }),
  );
}

function edit(exchange) {
  isEditing = true;
  byId("detail").replaceChildren(...editor(exchange, exchange && (() => select(exchange.id))));
}

function askForTitle(exchange) {
  isEditing = true;
  const title = element("input", {
    name: "title",
    value: `${exchange.method} ${exchange.path} answers ${exchange.status}`,
    ariaLabel: "Title",
  });
  const form = element(
    "form",
    {},
    element("h2", {}, `Save #${exchange.id} as a test`),
    element("label", { className: "row" }, "Title ", title),
    element(
      "div",
      { className: "actions" },
      element("button", { type: "submit", textContent: "Save into test/" }),
      element("button", { type: "button", textContent: "Back", onclick: () => select(exchange.id) }),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void attempt(async () => {
      const { file } = await api(`exchanges/${exchange.id}/save`, { title: title.value });
      select(exchange.id);
      tell(`Saved as ${file}. Run it: npx vitest run ${file}`);
    });
  });
  byId("detail").replaceChildren(form);
  title.focus();
}

function listen() {
  const events = new EventSource("api/events");
  events.addEventListener("open", () => (byId("connection").textContent = "live"));
  events.addEventListener("error", () => (byId("connection").textContent = "not connected"));
  events.addEventListener("message", ({ data }) => {
    for (const summary of JSON.parse(data)) {
      update(summary);
      if (summary.id === selected) void attempt(showDetail);
    }
    showList();
  });
}

byId("search").addEventListener("input", showList);
byId("compose").addEventListener("click", () => edit(undefined));
byId("clear").addEventListener("click", () =>
  attempt(async () => {
    await api("clear", {});
    summaries.clear();
    buttons.clear();
    selected = undefined;
    byId("list").replaceChildren();
    byId("detail").replaceChildren();
    showList();
  }),
);
listen();
showList();
