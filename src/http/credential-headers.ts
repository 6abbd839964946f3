// Which headers hold credentials, as their names tell.

/** Words that make the name of a header one of a credential, wherever they stand in it, and those that end it. */
const anywhere =
  "authorization|(api|access|auth|private)-?key|token|secret|password|passwd|passphrase|jwt|session(-?id)?|signature|credential";
const last = "auth|pass|pwd|dpop|(set-)?cookie2?|forwarded-client-cert";
const CREDENTIALS = new RegExp(`${anywhere}|(^|-)(${last})$`, "i");

/** Names with such a word that say how others are to be handled. */
const HARMLESS = /^access-control-/i;

/** Whether the values of this header are credentials. */
export function isCredential(name: string): boolean {
  return CREDENTIALS.test(name) && !HARMLESS.test(name);
}
