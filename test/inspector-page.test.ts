// The inspector's page in headless Chromium. With a folder in PICTURES, pictures of it are left there.

import { mkdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { afterAll, expect, test } from "vitest";

import { openPage } from "./support/browser.ts";
import { explainMissingChromium, findChromium } from "./support/chromium.ts";
import { startInspected } from "./support/inspected.ts";
import { closeAll, closeLater } from "./support/serve.ts";

const chromium = findChromium();
if (!chromium) explainMissingChromium();
afterAll(closeAll);

const pictures = process.env["PICTURES"] ?? resolve(import.meta.dirname, "build/inspector");

test.skipIf(!chromium)(
  "the page shows exchanges live, sends them again, and saves them",
  { timeout: 60_000 },
  async () => {
    await mkdir(pictures, { recursive: true });
    const { server, inspector, folder } = await startInspected();
    const page = await openPage(chromium!, inspector.url);
    closeLater(() => page.close());
    await page.until('document.querySelector("#connection")?.textContent === "live"');
    await page.screenshot(join(pictures, "empty.png"));

    const markup = "<img src=x onerror=document.title='run'>";
    const headers = { authorization: "Bearer top-secret", "x-drop": markup };
    await (await fetch(`${server.url}/auth?${encodeURI(markup)}`, { method: "POST", headers, body: markup })).text();
    await fetch(`${server.url}/deny`);
    await fetch(`${server.url}/trap`);
    await page.until('document.querySelectorAll("#list button").length === 3');
    const click = (text: string): string =>
      `[...document.querySelectorAll("button")].find((one) => one.textContent.includes(${JSON.stringify(text)})).click()`;

    await page.evaluate(click("/trap"));
    await page.until('document.querySelector(".trap")?.textContent.includes("the path is a trap")');
    await page.screenshot(join(pictures, "trap.png"));

    await page.evaluate(click("POST /auth"));
    await page.until('document.querySelector("h2")?.textContent.startsWith("POST /auth")');
    const text = await page.evaluate<string>("document.body.innerText");
    expect(text).toContain("proxy_on_request_headers");
    expect(text).toContain("+ x-tag: tagged");
    expect(text).toContain(`- x-drop: ${markup}`);
    expect(text).toContain("authorization: Bearer [masked]");
    expect(text).not.toContain("top-secret");
    expect(text).toContain("auth: 200");
    expect(await page.evaluate("document.title")).toBe("proxy-wasm inspector");
    expect(await page.evaluate('document.querySelectorAll("#detail img").length')).toBe(0);
    await page.screenshot(join(pictures, "exchange.png"));

    await page.evaluate(click("Replay"));
    await page.until('document.querySelectorAll("#list button").length === 4');

    await page.evaluate(click("Edit and send"));
    await page.until('document.querySelector("textarea")');
    await page.screenshot(join(pictures, "editor.png"));
    await page.evaluate('document.querySelector("input[name=path]").value = "/edited"');
    await page.evaluate(click("Send"));
    await page.until('[...document.querySelectorAll("#list .path")].some((one) => one.textContent === "POST /edited")');
    await expect.poll(() => server.exchanges.at(-1)).toMatchObject({ method: "POST", path: "/edited" });

    await page.evaluate(click("POST /edited"));
    await page.until('document.querySelector("h2")?.textContent === "POST /edited"');
    await page.evaluate(click("Save as a test"));
    await page.evaluate(click("Save into test/"));
    await page.until('document.querySelector("#message").textContent.startsWith("Saved as test/")');
    const [file] = /test\/\S+\.test\.ts/.exec(
      await page.evaluate<string>('document.querySelector("#message").textContent'),
    )!;
    expect(await readFile(join(folder, file), "utf8")).toContain('path: "/edited"');

    // What is said of one exchange does not stand over another.
    await page.evaluate(click("GET /deny"));
    expect(await page.evaluate('document.querySelector("#message").hidden')).toBe(true);

    await page.evaluate('document.querySelector("#search").value = "deny"');
    await page.evaluate('document.querySelector("#search").dispatchEvent(new Event("input"))');
    expect(await page.evaluate('[...document.querySelectorAll("#list li")].filter((one) => !one.hidden).length')).toBe(
      1,
    );
    await page.evaluate(click("Clear"));
    await page.until('document.querySelectorAll("#list button").length === 0');
    expect(page.complaints).toEqual([]);
  },
);
