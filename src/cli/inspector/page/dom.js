// Elements, and talking to the server. Whatever comes from outside is text: nothing here makes markup of it.

/**
 * Makes an element.
 * @param {string} name
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/**
 * The element with this id.
 * @param {string} id
 */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Asks the server; throws an error with its sentence. The address of this page, token and all, is that of the server.
 * @param {string} path
 * @param {unknown} [body] sent with POST when it is given
 */
export async function api(path, body) {
  const options =
    body === undefined
      ? {}
      : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`api/${path}`, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

let hiding;

/**
 * Tells something for some seconds; nothing any more when the text is empty.
 * @param {string} text
 * @param {boolean} [isWrong]
 */
export function tell(text, isWrong = false) {
  const message = byId("message");
  message.textContent = text;
  message.className = isWrong ? "wrong" : "";
  message.hidden = !text;
  clearTimeout(hiding);
  hiding = setTimeout(() => (message.hidden = true), 6000);
}

/**
 * Runs something that a person has asked for, and tells what goes wrong.
 * @param {() => Promise<unknown>} action
 */
export async function attempt(action) {
  try {
    await action();
  } catch (error) {
    tell(error.message, true);
  }
}
