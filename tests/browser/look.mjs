// Looks at pages in headless Chromium, as page_test.cc tells it to:
//
//   node look.mjs PAGES.json
//
// {"pages": [{"name": "forty", "url": "http://…", "shows": ["text that is on it", …], "list": "what is copied"}, …]}
//
// Each is read at a desk and on a phone, by day and by night, with all that folds unfolded. Prints what is wrong and
// exits 1. With BROWSER_SCREENSHOTS=DIR, pictures of all that go there.
import {mkdirSync, readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);
const {chromium} = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const widths = {desktop: 1280, phone: 390};
const otherWidths = [320, 768, 1152, 1160];  // at which only the fit is looked at
const schemes = ['light', 'dark'];
const pictures = process.env.BROWSER_SCREENSHOTS;
const faults = [];

// By the debugger, which no policy of the page forbids: the policy stays as users have it.
async function evaluate(tab, expression) {
  const session = await tab.context().newCDPSession(tab);
  const answer = await session.send('Runtime.evaluate', {expression, awaitPromise: true, returnByValue: true});
  await session.detach();
  if (answer.exceptionDetails) throw new Error(JSON.stringify(answer.exceptionDetails));
  return answer.result.value;
}

// A tab with the page, whose complaints become faults.
async function open(browser, page, options, say) {
  const context = await browser.newContext({permissions: ['clipboard-read', 'clipboard-write'], ...options});
  const tab = await context.newPage();
  tab.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) say(`console: ${message.text()}`);
  });
  tab.on('pageerror', (error) => say(`script: ${error}`));
  tab.on('dialog', (dialog) => { say(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  tab.on('request', (request) => {
    if (request.url() !== page.url) say(`asks for ${request.url()}`);
  });
  await tab.goto(page.url);
  return {context, tab};
}

// What is wider than the window, where the window scrolls sideways.
const tooWide = `(() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > width + 1)
      .slice(0, 5).map((e) => e.outerHTML.slice(0, 120));
})()`;

async function check(tab, say) {
  await evaluate(tab, axe);
  for (const found of await evaluate(tab, 'axe.run({resultTypes: ["violations"]}).then((result) => result.violations)')) {
    if (!['serious', 'critical'].includes(found.impact)) continue;
    say(`axe: ${found.id}: ${found.help}: ${found.nodes.slice(0, 3).map((node) => node.html + ' ' + node.failureSummary).join(' | ')}`);
  }
  for (const element of await evaluate(tab, tooWide)) say(`wider than the window: ${element}`);
}

const textOf = 'document.body.innerText + [...document.querySelectorAll("textarea")].map((t) => t.value).join("\\n")';

async function look(browser, page, form, scheme) {
  const say = (fault) => faults.push(`${page.name}, ${form}, ${scheme}: ${fault}`);
  const viewport = {width: widths[form], height: 900};
  const {context, tab} = await open(browser, page, {viewport, colorScheme: scheme}, say);
  const picture = async (state) => {
    if (!pictures) return;
    mkdirSync(pictures, {recursive: true});
    await tab.screenshot({path: path.join(pictures, `${page.name}-${form}-${scheme}${state}.png`), fullPage: true});
  };
  await picture('');
  for (const element of await evaluate(tab, tooWide)) say(`wider than the window: ${element}`);
  await evaluate(tab, 'document.querySelectorAll("details").forEach((details) => { details.open = true; })');
  await picture('-unfolded');
  await check(tab, say);
  const text = await evaluate(tab, textOf);
  for (const shown of page.shows ?? []) {
    if (!text.includes(shown)) say(`does not show ${JSON.stringify(shown)}`);
  }
  for (const width of otherWidths) {
    await tab.setViewportSize({width, height: 900});
    for (const element of await evaluate(tab, tooWide)) say(`wider than a window of ${width}: ${element}`);
  }
  const active = await evaluate(tab, 'document.querySelectorAll("script, iframe, object, embed, img, link, form").length');
  if (active !== 1) say(`${active} elements that do or load something in place of the one script`);
  await context.close();
}

// `secure` is whether the browser lets scripts have its clipboard.
async function copy(browser, page, secure) {
  const say = (fault) => faults.push(`${page.name}, copied${secure ? '' : ' the old way'}: ${fault}`);
  const {context, tab} = await open(browser, page, {viewport: {width: 390, height: 900}}, say);
  tab.setDefaultTimeout(10000);
  await evaluate(tab, 'navigator.clipboard.writeText("nothing")');
  if (!secure) await evaluate(tab, 'Object.defineProperty(navigator, "clipboard", {value: undefined})');
  await tab.getByText('The list, for a firewall').first().click();
  await tab.getByRole('button', {name: 'Copy'}).first().click();
  await tab.getByRole('button', {name: 'Copied'}).waitFor({timeout: 10000});
  const other = await context.newPage();
  await other.goto(page.url);
  const copied = await evaluate(other, 'navigator.clipboard.readText()');
  if (copied !== page.list) say(`${JSON.stringify(copied)} in place of ${JSON.stringify(page.list)}`);
  await context.close();
}

async function withoutScript(browser, page) {
  const say = (fault) => faults.push(`${page.name}, without scripts: ${fault}`);
  const {context, tab} = await open(browser, page, {javaScriptEnabled: false}, say);
  tab.setDefaultTimeout(10000);
  for (const summary of await tab.locator('summary').all()) await summary.click();
  const lists = await tab.locator('textarea').evaluateAll((areas) => areas.map((area) => area.value).join('\n'));
  const text = (await tab.locator('body').innerText()) + lists;
  for (const shown of page.shows ?? []) {
    if (!text.includes(shown)) say(`does not show ${JSON.stringify(shown)}`);
  }
  if (await tab.getByRole('button').count() > 0) say('a button that does nothing is shown');
  await context.close();
}

const {pages} = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
});
// What does not come to an end is one fault more, not the end of them.
async function attempt(name, part) {
  try {
    await part();
  } catch (error) {
    faults.push(`${name}: ${error}`);
  }
}
try {
  for (const page of pages) {
    for (const form of Object.keys(widths)) {
      for (const scheme of schemes) {
        await attempt(`${page.name}, ${form}, ${scheme}`, () => look(browser, page, form, scheme));
      }
    }
    await attempt(`${page.name}, without scripts`, () => withoutScript(browser, page));
    if (page.list === undefined) continue;
    await attempt(`${page.name}, copied`, () => copy(browser, page, true));
    await attempt(`${page.name}, copied the old way`, () => copy(browser, page, false));
  }
} finally {
  await browser.close();
}
console.log(faults.join('\n'));
process.exitCode = faults.length > 0 ? 1 : 0;
