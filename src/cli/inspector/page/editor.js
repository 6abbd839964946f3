// A request to write, and to send by the port that clients use.

import { api, attempt, element, tell } from "./dom.js";

/**
 * The form for a request, with what an exchange had in it.
 * @param {any} [exchange]
 * @param {() => void} [onCancel]
 * @returns {Node[]}
 */
export function editor(exchange, onCancel) {
  const request = exchange?.request.before;
  const own = /^(:|content-length$|transfer-encoding$|connection$|x-request-id$|x-forwarded-proto$)/;
  const authority = request?.headers.find(([name]) => name === ":authority")?.[1] ?? "localhost";
  const headers = [["host", authority], ...(request?.headers ?? []).filter(([name]) => !own.test(name))];
  const method = element("input", { name: "method", size: 8, value: exchange?.method ?? "GET", ariaLabel: "Method" });
  const path = element("input", { name: "path", value: exchange?.path ?? "/", ariaLabel: "Path" });
  const head = element("textarea", {
    name: "headers",
    ariaLabel: "Headers",
    spellcheck: false,
    value: headers.map(([name, value]) => `${name}: ${value}`).join("\n"),
  });
  const body = element("textarea", { name: "body", ariaLabel: "Body", spellcheck: false, value: request?.text ?? "" });
  const form = element(
    "form",
    {},
    element("h2", {}, exchange ? `Edit and send #${exchange.id}` : "New request"),
    element("div", { className: "row" }, method, path),
    element("label", {}, "Headers, one on each line. A masked value is sent as it was.", head),
    element("label", {}, "Body", body),
    element(
      "div",
      { className: "actions" },
      element("button", { type: "submit", textContent: "Send" }),
      ...(onCancel ? [element("button", { type: "button", textContent: "Back", onclick: onCancel })] : []),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void attempt(async () => {
      const draft = {
        method: method.value.trim(),
        path: path.value.trim(),
        headers: readHeaders(head.value),
        body: body.value,
      };
      await api("send", { ...draft, ...(exchange && { from: exchange.id }) });
      tell("Sent. The exchange stands in the list.");
    });
  });
  return [form];
}

function readHeaders(text) {
  return text
    .split("\n")
    .filter((line) => line.trim())
    .map((line) => {
      const at = line.indexOf(":");
      if (at < 1) throw new Error(`"${line}" is no header: a name, a colon and a value are expected`);
      return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    });
}
