// Looks at an HTML report in Chromium, from the disk, as its readers do.
//
//   node report.mjs REPORT MODULES CHROMIUM SCREENSHOTS PAGE LINE
//
// PAGE is the name of a file in the report, LINE the first of its lines that `bincover missing`
// names. Ends with 1 and says why if something is not as it should be.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [report, modules, chromium, screenshots, wanted, line] = process.argv.slice(2);
const require = createRequire(path.join(modules, "x.js"));
const playwright = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const index = pathToFileURL(path.join(report, "index.html")).href;

const browser = await playwright.chromium.launch({ executablePath: chromium, args: ["--no-sandbox"] });
const troubles = [];

async function open(options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) troubles.push(message.text());
  });
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("dialog", (dialog) => { troubles.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) troubles.push(`a request: ${request.url()}`);
  });
  return page;
}

async function accessible(page, what) {
  await page.evaluate(axe);
  // It would load the style sheet again, which our policy forbids.
  const result = await page.evaluate(() => axe.run(document, { preload: false }));
  const found = result.violations.map((one) =>
    `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html).join(" | ")}`);
  assert.deepEqual(found, [], what);
}

/// The names in the index that are seen.
const names = (page) =>
  page.$$eval("#files tbody tr:not(.dir)", (rows) =>
    rows.filter((row) => row.checkVisibility()).map((row) => row.querySelector("a").textContent));

/// The line in the page's address, as the page has it: `page.url()` is told of it later.
const hash = (page) => page.evaluate(() => location.hash);

for (const colorScheme of ["light", "dark"]) {
  const page = await open({ colorScheme });
  await page.goto(index);
  await accessible(page, `index, ${colorScheme}`);
  await page.screenshot({ path: path.join(screenshots, `index-${colorScheme}.png`) });
  const all = await names(page);
  assert.ok(all.includes(wanted) && all.length > 1, String(all));

  // Sorting by percentage: siblings are in order, and turned round when asked again.
  const header = page.getByRole("button", { name: "Lines %" });
  const percents = () => page.$$eval("#files tbody tr", (rows) => {
    const siblings = {};
    const folders = [];
    for (const row of rows) {
      const depth = Number(row.className.match(/^d(\d+)/)[1]);
      folders.length = depth;
      folders.push(row.cells[0].textContent);
      (siblings[folders.slice(0, depth).join()] ??= []).push(parseFloat(row.cells[1].textContent));
    }
    return Object.values(siblings);
  });
  await header.click();
  assert.equal(await page.getAttribute("th[aria-sort]", "aria-sort"), "ascending");
  for (const list of await percents()) assert.deepEqual(list, list.toSorted((a, b) => a - b));
  await header.click();
  assert.equal(await page.getAttribute("th[aria-sort]", "aria-sort"), "descending");
  for (const list of await percents()) assert.deepEqual(list, list.toSorted((a, b) => b - a));

  // Folding.
  await page.getByRole("button", { name: "Close all" }).click();
  assert.ok((await names(page)).length < all.length || !(await page.$("#files .dir")));
  await page.getByRole("button", { name: "Open all" }).click();
  assert.equal((await names(page)).length, all.length);

  // The filter, by keyboard.
  await page.keyboard.press("/");
  await page.keyboard.type(wanted.toUpperCase());
  assert.deepEqual(await names(page), [wanted]);
  assert.equal(await page.textContent("#found"), "1 file");

  // The file, and the first place that is not covered.
  await page.getByRole("link", { name: wanted, exact: true }).click();
  await page.waitForURL(/\/f\//);
  // A line that was left out has a colour, a word and its rule.
  const out = page.locator("tr.e").first();
  assert.equal(await out.locator("td").nth(1).textContent(), "out");
  assert.match(await out.locator("td").nth(1).getAttribute("title"), /^left out by .*\^fn main/);
  assert.ok(await page.locator(".legend .e").isVisible());
  const colours = await page.$$eval("tr[id]:is(.e, .m, .h)", (rows) =>
    rows.map((row) => row.className[0] + getComputedStyle(row.cells[1]).backgroundColor));
  assert.equal(new Set(colours).size, 3, String([...new Set(colours)]));
  await accessible(page, `page, ${colorScheme}`);
  await page.keyboard.press("n");
  assert.equal(await hash(page), `#L${line}`);
  assert.equal(await page.getAttribute("tr.here", "id"), `L${line}`);
  const row = page.locator(`#L${line}`);
  assert.ok(await row.isVisible());
  const inView = await row.evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  });
  assert.ok(inView, "the place is in view");
  await page.screenshot({ path: path.join(screenshots, `page-${colorScheme}.png`) });
  await page.keyboard.press("n");
  await page.keyboard.press("p");
  assert.equal(await hash(page), `#L${line}`);

  // The other theme is kept from page to page.
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await background();
  await page.keyboard.press("t");
  const after = await background();
  assert.notEqual(before, after);
  await page.keyboard.press("u");
  await page.waitForURL(index);
  assert.equal(await background(), after);
  await page.context().close();
}

// Without a script all of it can be read.
const plain = await open({ javaScriptEnabled: false });
await plain.goto(index);
assert.ok(await plain.getByRole("link", { name: wanted, exact: true }).isVisible());
assert.ok(!(await plain.locator("#filter").isVisible()));
await plain.getByRole("link", { name: wanted, exact: true }).click();
await plain.waitForURL(/\/f\//);
assert.ok(await plain.locator(`#L${line}`).isVisible());

// A narrow window does not scroll sideways.
const phone = await open({ viewport: { width: 390, height: 800 } });
await phone.goto(index);
const width = await phone.evaluate(() => document.documentElement.scrollWidth);
assert.ok(width <= 390, `the page is ${width} wide`);

await browser.close();
assert.deepEqual(troubles, []);
