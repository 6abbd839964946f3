// Why the system refuses something, in words that say what to do.

/** Why a file cannot be read, in words. */
export function whyUnreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a folder";
  if (code === "EACCES" || code === "EPERM") return "it may not be read";
  return message;
}

/** Why a server cannot listen, in words. */
export function listenText(error: NodeJS.ErrnoException, port: number, host: string, flag = "--port"): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `port ${port} on ${host} is in use; choose another with ${flag}, or ${flag} 0 for any`;
    case "EACCES":
      return `port ${port} needs more rights; choose one above 1023 with ${flag}`;
    case "EADDRNOTAVAIL":
      return `${host} is no address of this machine; choose one with --host, such as 127.0.0.1, or 0.0.0.0 for all`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the host ${JSON.stringify(host)} is not known here; give an address with --host, such as 127.0.0.1`;
    default:
      return `cannot listen on ${host}:${port}: ${error.message}`;
  }
}
