// Looks at an HTML report on 10,000 files in Chromium: how long it takes until it can be used is
// printed, and not judged.
//
//   node large.mjs REPORT MODULES CHROMIUM SCREENSHOTS FIRST SECOND
//
// FIRST and SECOND are the first lines of the first two places in src/large.rs, which has 20,000
// lines, that are not covered. Ends with 1 and says why if something is not as it should be.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [report, modules, chromium, screenshots, first, second] = process.argv.slice(2);
const playwright = createRequire(path.join(modules, "x.js"))("playwright-core");
const index = pathToFileURL(path.join(report, "index.html")).href;

const browser = await playwright.chromium.launch({ executablePath: chromium, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage();
const troubles = [];
page.on("console", (message) => {
  if (["error", "warning"].includes(message.type())) troubles.push(message.text());
});
page.on("pageerror", (error) => troubles.push(String(error)));
page.on("request", (request) => {
  if (!/^(file|data):/.test(request.url())) troubles.push(`a request: ${request.url()}`);
});

// Until the browser has drawn what an action led to.
const drawn = () => page.evaluate(() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => done()))));
const times = {};
async function timed(what, action) {
  const before = performance.now();
  await action();
  await drawn();
  times[what] = Math.round(performance.now() - before);
}
const seen = () => page.$$eval("#files tbody tr", (rows) => rows.filter((row) => !row.hidden).length);

// Rows, cells and columns are what they are to who cannot see them, laid out when in view or not.
const browserSays = await context.newCDPSession(page);
async function haveRoles(roles) {
  const { root } = await browserSays.send("DOM.getDocument", { depth: 0 });
  for (const [selector, role] of Object.entries(roles)) {
    const { nodeId } = await browserSays.send("DOM.querySelector", { nodeId: root.nodeId, selector });
    const tree = await browserSays.send("Accessibility.getPartialAXTree", { nodeId, fetchRelatives: false });
    assert.equal(tree.nodes[0].role.value, role, selector);
  }
}

await timed("index", () => page.goto(index));
const all = await page.$$eval("#files tbody tr", (rows) => rows.length);
assert.ok(all > 10_000, `${all} rows`);
// A large tree begins closed.
assert.ok(await seen() < 20, `${await seen()} rows are seen`);

await haveRoles({ "#files": "table", "#files tr.dir": "row", "#files td": "cell", "#files thead th": "columnheader" });

// Folders, by keyboard alone.
const folder = page.locator("#files .d0.dir button").first();
await folder.focus();
assert.equal(await folder.getAttribute("aria-expanded"), "false");
const before = await seen();
await timed("a folder opens", () => page.keyboard.press("Enter"));
assert.equal(await folder.getAttribute("aria-expanded"), "true");
assert.ok(await seen() > before);
await page.keyboard.press("Space");
assert.equal(await seen(), before);

await page.keyboard.press("/");
const finds = (text) => page.waitForFunction((text) =>
  document.getElementById("found").textContent === text, text);
await timed("the filter finds one", async () => {
  await page.keyboard.type("SOME_FILE_7777.");
  await finds("1 file");
});
const files = await page.$$eval("#files tbody tr:not(.dir)", (rows) =>
  rows.filter((row) => !row.hidden).map((row) => row.querySelector("a").textContent));
assert.deepEqual(files, ["some_file_7777.rs"]);
await timed("the filter finds many", async () => {
  await page.locator("#filter").fill("some_file_1");
  await finds("1111 files");
});
await timed("the filter is empty", async () => {
  await page.locator("#filter").fill("");
  await finds("");
});
assert.equal(await seen(), before);
await page.keyboard.press("Escape");

await timed("all folders open", () => page.locator("#open").click());
assert.equal(await seen(), all);
// To look for a button by its name takes the driver longer than the browser to sort.
const header = page.locator("#files thead button").nth(2);
assert.equal(await header.textContent(), "Lines: Covered/all");
await timed("sorted", () => header.click());
assert.equal(await page.getAttribute("th[aria-sort]", "aria-sort"), "descending");
// Files of one folder stand together, in order.
const missed = await page.$$eval("#files tbody tr", (rows) => {
  const folders = [[]];
  for (const row of rows) {
    if (row.classList.contains("dir")) { folders.push([]); continue; }
    const [covered, total] = row.cells[2].textContent.split("/").map(Number);
    folders.at(-1).push(total - covered);
  }
  return folders;
});
assert.equal(missed.flat().length, all - (missed.length - 1));
for (const list of missed) assert.deepEqual(list, list.toSorted((a, b) => b - a));
await timed("all folders close", () => page.locator("#close").click());
assert.equal(await seen(), before);
await page.screenshot({ path: path.join(screenshots, "large-index.png") });

const odd = await page.$$eval("#files a[href*='.c-']", (links) =>
  Object.fromEntries(links.map((link) => [link.textContent, link.href])));

// A file of 20,000 lines.
await page.locator("#filter").fill("src/large.rs");
await finds("1 file");
const link = page.locator("#files a[href*='/large.rs-']");
await link.focus();
await timed("a file of 20,000 lines", async () => {
  await page.keyboard.press("Enter");
  await page.waitForURL(/large\.rs/, { waitUntil: "load" });
});
assert.equal(await page.locator("tr[id]").count(), 20_000);
const isInView = (line) => page.locator(`#L${line}`).evaluate((row) => {
  const { top, bottom } = row.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
});
async function isAt(line) {
  assert.equal(await page.evaluate(() => location.hash), `#L${line}`);
  assert.equal(await page.getAttribute("tr.here", "id"), `L${line}`);
  assert.ok(await isInView(line), `line ${line} is in view`);
}
await timed("the next place", () => page.keyboard.press("n"));
await isAt(first);
await timed("and the next", () => page.keyboard.press("j"));
await isAt(second);
await page.keyboard.press("p");
await isAt(first);
// Before the first is the last.
await timed("the last place", () => page.keyboard.press("k"));
const last = await page.getAttribute("tr.here", "id");
assert.ok(Number(last.slice(1)) > 19_900, last);
await isAt(last.slice(1));
await haveRoles({ "table.src": "table", [`#${last}`]: "row", [`#${last} td`]: "cell", "table.src th": "columnheader" });
await page.screenshot({ path: path.join(screenshots, "large-page.png") });
await timed("a line that a link names", () => page.evaluate(() => { location.hash = "L12345"; }));
assert.ok(await isInView(12345), "a line that a link names is in view");

// Sources that are odd.
async function notes(name) {
  await page.goto(odd[name]);
  return (await page.locator("[role=note]").allTextContents()).join(" ");
}
assert.match(await notes("gone.c"), /^The source cannot be shown: /);
assert.match(await notes("empty.c"), /^The source is empty\. The source has 0 lines, and /);
assert.match(await notes("other.c"), /^The source has 2 lines, and the program has code at line 9: /);
assert.equal(await notes("long.c"), "");
const long = await page.textContent("#L1 code");
assert.ok(long.length < 5000 && /… \d{8} more bytes$/.test(long), long.slice(-40));

await browser.close();
assert.deepEqual(troubles, []);
const shown = Object.entries(times).map(([what, milliseconds]) => `${what} ${milliseconds} ms`);
console.log(`report on ${all} rows: ${shown.join(", ")}`);
