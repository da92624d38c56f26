// Makes the picture in the README of a report: the index in light, and below it a source in dark.
//
//   node screenshot.mjs REPORT MODULES CHROMIUM PAGE LINE OUT
//
// PAGE is the name of a file in the report, LINE the one of its lines that is to be in the middle.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [report, modules, chromium, wanted, line, out] = process.argv.slice(2);
const playwright = createRequire(path.resolve(modules, "x.js"))("playwright-core");
const width = 1100;
const heights = { light: 560, dark: 560 };

const browser = await playwright.chromium.launch({ executablePath: chromium, args: ["--no-sandbox"] });
const pictures = [];
for (const [colorScheme, height] of Object.entries(heights)) {
  const page = await browser.newPage({ colorScheme, viewport: { width, height } });
  await page.goto(pathToFileURL(path.resolve(report, "index.html")).href);
  if (colorScheme === "dark") {
    await page.getByRole("link", { name: wanted, exact: true }).first().click();
    await page.waitForURL(/\/f\//);
    await page.locator(`#L${line}`).evaluate((row) => row.scrollIntoView({ block: "center" }));
  }
  pictures.push((await page.screenshot()).toString("base64"));
  await page.close();
}
const height = heights.light + heights.dark;
const both = await browser.newPage({ viewport: { width, height } });
const images = pictures.map((picture) => `<img style="display:block" src="data:image/png;base64,${picture}">`);
await both.setContent(`<body style="margin:0">${images.join("")}`);
await both.screenshot({ path: out });
await browser.close();
