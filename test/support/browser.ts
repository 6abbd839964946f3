// A headless Chromium to be driven by a test, over the pipe of its debugging protocol.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** A page of a browser. */
export interface Page {
  /** What the console of the page, or its policy, has complained about. */
  readonly complaints: readonly string[];
  /** Runs JavaScript in the page and gives what it gives. */
  evaluate<T>(script: string): Promise<T>;
  /** Waits until a condition in the page holds; rejects after some seconds. */
  until(condition: string): Promise<void>;
  /** Writes a picture of the page. */
  screenshot(file: string): Promise<void>;
  close(): Promise<void>;
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { message: string };
  readonly sessionId?: string;
}

/** Opens a page; `dark` asks for the dark colours. */
export async function openPage(chromium: string, url: string, dark = false): Promise<Page> {
  const profile = await mkdtemp(join(tmpdir(), "chromium-"));
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"];
  flags.push("--disable-component-update", "--no-first-run", "--window-size=1280,900", `--user-data-dir=${profile}`);
  const child = spawn(chromium, [...flags, "--remote-debugging-pipe", "about:blank"], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const connection = new Connection(child);
  const complaints: string[] = [];
  connection.onEvent = ({ method, params }) => {
    if (method === "Log.entryAdded") complaints.push((params!["entry"] as { text: string }).text);
    if (method === "Runtime.exceptionThrown") complaints.push(JSON.stringify(params!["exceptionDetails"]));
  };
  const { targetId } = await connection.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await connection.send("Target.attachToTarget", { targetId, flatten: true });
  connection.session = sessionId as string;
  for (const domain of ["Page", "Runtime", "Log"]) await connection.send(`${domain}.enable`, {});
  const features = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }];
  await connection.send("Emulation.setEmulatedMedia", { features });
  await connection.send("Page.navigate", { url });
  const evaluate = async <T>(expression: string): Promise<T> => {
    const { result, exceptionDetails } = await connection.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  };
  return {
    complaints,
    evaluate,
    async until(condition) {
      for (let i = 0; i < 200; i++) {
        if (await evaluate<boolean>(`Boolean(${condition})`)) return;
        await new Promise((done) => setTimeout(done, 50));
      }
      const text = await evaluate<string>("document.body.innerText");
      throw new Error(`the page did not come to ${condition}:\n${text}\n${complaints.join("\n")}`);
    },
    async screenshot(file) {
      const { data } = await connection.send("Page.captureScreenshot", { format: "png" });
      await writeFile(file, Buffer.from(data as string, "base64"));
    },
    async close() {
      child.kill("SIGKILL");
      await new Promise((done) =>
        child.exitCode === null && child.signalCode === null ? child.on("exit", done) : done(0),
      );
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The protocol: JSON, each message ended by a zero byte. */
class Connection {
  session: string | undefined;
  onEvent: (event: Answer) => void = () => {};
  readonly #input: Writable;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  constructor(child: ChildProcess) {
    this.#input = child.stdio[3] as Writable;
    let rest = "";
    (child.stdio[4] as Readable).on("data", (chunk: Buffer) => {
      const messages = (rest + chunk.toString()).split("\0");
      rest = messages.pop()!;
      for (const message of messages) this.#receive(JSON.parse(message) as Answer);
    });
  }

  send(method: string, params: object): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    const session = this.session === undefined ? {} : { sessionId: this.session };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => (error ? reject(new Error(error.message)) : resolve(result ?? {})));
      this.#input.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    });
  }

  #receive(answer: Answer): void {
    if (answer.id === undefined) return this.onEvent(answer);
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }
}
