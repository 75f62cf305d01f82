// Renders dashboards with Grafana's UI libraries in headless Chromium, against a Prometheus:
//
//   node render.mjs --prometheus URL --out DIR [--schemes light,dark] [--widths 1280,1920] [--from T] [--to T] DASHBOARD.json…
//
// Writes DIR/NAME-SCHEME-WIDTH.png for each. Prints what is wrong, and exits 1 then: an error of the page, a panel that cannot
// get its data or has none, a variable without values. What it cannot tell is how a Grafana server would take the file: this is
// the libraries, not the product. T is a time as dashboards have it; without it the dashboard's own range is shown.
import {createReadStream, existsSync, mkdirSync, readFileSync, statSync} from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import esbuild from 'esbuild';
import {chromium} from 'playwright-core';

const here = path.dirname(fileURLToPath(import.meta.url));
const {values: flags, positionals: files} = parseArgs({
  allowPositionals: true,
  options: {
    prometheus: {type: 'string'}, out: {type: 'string'}, schemes: {type: 'string', default: 'light,dark'},
    widths: {type: 'string', default: '1280,1920'}, from: {type: 'string'}, to: {type: 'string'},
  },
});
if (!flags.prometheus || !flags.out || files.length === 0) {
  console.error('usage: node render.mjs --prometheus URL --out DIR DASHBOARD.json…');
  process.exit(2);
}
const nameOf = (file) => path.basename(file, '.json');
const dashboards = new Map(files.map((file) => [nameOf(file), readFileSync(file, 'utf8')]));
const types = {'.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.woff': 'font/woff'};
// Not all icons are in the package: one that points to the left is made of its opposite.
function otherIcon(file) {
  const opposite = file.replace(/-left\.svg$/, '-right.svg');
  if (!existsSync(opposite)) return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"/>';
  return readFileSync(opposite, 'utf8').replace('<svg', '<svg style="transform: scaleX(-1)"');
}

// Where a file of Grafana's that the page asks for is.
function fileOf(pathname) {
  const icons = '/public/build/img/';
  if (pathname.startsWith(icons)) return path.join(here, 'node_modules/@grafana/ui/dist/public/img', pathname.slice(icons.length));
  if (pathname.startsWith('/public/fonts/')) return path.join(here, 'node_modules/@fontsource/inter/files/inter-latin-400-normal.woff2');
  return path.join(here, pathname === '/' ? 'index.html' : 'none');
}

async function answer(request, response) {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname.startsWith('/prometheus/')) {
    const from = await fetch(flags.prometheus.replace(/\/$/, '') + url.pathname.slice('/prometheus'.length) + url.search);
    response.writeHead(from.status, {'content-type': 'application/json'}).end(Buffer.from(await from.arrayBuffer()));
  } else if (url.pathname === '/dashboard.json') {
    response.writeHead(200, {'content-type': 'application/json'}).end(dashboards.get(url.searchParams.get('name')));
  } else if (built.has(url.pathname)) {
    response.writeHead(200, {'content-type': types[path.extname(url.pathname)]}).end(built.get(url.pathname));
  } else {
    const file = fileOf(decodeURIComponent(url.pathname));
    if (file.endsWith('.svg') && !existsSync(file)) {
      response.writeHead(200, {'content-type': types['.svg']}).end(otherIcon(file));
      return;
    }
    if (!existsSync(file) || !statSync(file).isFile()) { response.writeHead(404).end(); return; }
    response.writeHead(200, {'content-type': types[path.extname(file)] ?? 'application/octet-stream'});
    createReadStream(file).pipe(response);
  }
}

// The page's own code in one file, kept in memory: some seconds.
async function build() {
  const {outputFiles} = await esbuild.build({
    absWorkingDir: here, entryPoints: ['src/main.jsx'], outdir: '/', write: false, bundle: true, format: 'esm', target: 'chrome110',
    jsx: 'automatic', logLevel: 'warning', mainFields: ['browser', 'module', 'main'],
    loader: {'.woff2': 'file', '.woff': 'file', '.ttf': 'empty'},
    alias: {'react-router-dom-v5-compat': 'react-router-dom'},
    // Grafana's libraries were written for a bundler that has these.
    define: {'process.env.NODE_ENV': '"production"', 'process.env.REACT_APP_VERSION': '""', global: 'globalThis'},
  });
  return new Map(outputFiles.map(({path: name, contents}) => [name, contents]));
}

// Waits until all is there and stays so.
async function settled(tab) {
  const end = Date.now() + 60000;
  let quiet = 0;
  let state = {loading: ['all']};
  while (Date.now() < end && quiet < 3) {
    await tab.waitForTimeout(150);
    state = await tab.evaluate(() => window.stateOf?.() ?? {loading: ['the page'], faults: []});
    quiet = state.loading.length === 0 ? quiet + 1 : 0;
  }
  return state;
}

async function picture(browser, base, name, scheme, width, faults) {
  const say = (fault) => faults.push(`${name}, ${scheme}, ${width}: ${fault}`);
  const context = await browser.newContext({viewport: {width, height: 1000}, colorScheme: scheme, timezoneId: 'UTC', locale: 'en-US'});
  const tab = await context.newPage();
  tab.on('pageerror', (error) => say(`script: ${error.stack ?? error}`));
  tab.on('console', (message) => {
    // What Prometheus refuses, the panel or the variable says.
    if (message.type() !== 'error' || message.location().url.includes('/prometheus/')) return;
    say(`console: ${message.text()} ${message.location().url}`);
  });
  const query = new URLSearchParams({name, scheme, ...(flags.from && {from: flags.from}), ...(flags.to && {to: flags.to})});
  await tab.goto(`${base}/?${query}`);
  await tab.waitForFunction(() => window.heightOf, null, {timeout: 30000}).catch(() => say('the page does not come up'));
  await tab.setViewportSize({width, height: await tab.evaluate(() => Math.ceil(window.heightOf?.() ?? 1000))});
  await settled(tab);
  // Panels are made anew when the window's size changes: not while the picture is taken.
  await tab.setViewportSize({width, height: await tab.evaluate(() => document.documentElement.scrollHeight)});
  const state = await settled(tab);
  for (const title of state.loading) say(`${title}: still loading`);
  for (const fault of state.faults) say(fault);
  const text = await tab.evaluate(() => document.body.innerText);
  if (/\bNo data\b/.test(text) && !state.faults.some((fault) => fault.endsWith('No data'))) say('a panel shows "No data"');
  await tab.waitForTimeout(300);
  mkdirSync(flags.out, {recursive: true});
  const file = path.join(flags.out, `${name}-${scheme}-${width}.png`);
  await tab.screenshot({path: file});
  for (const title of (await tab.evaluate(() => window.stateOf())).loading) say(`${title}: was not there when the picture was taken`);
  console.log(`${file}: ${state.panels} panels, ${state.annotations} annotations`);
  await context.close();
}

const built = await build();
const server = http.createServer((request, response) => answer(request, response).catch((error) => response.writeHead(502).end(String(error))));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--hide-scrollbars'],
});
const faults = [];
try {
  for (const name of dashboards.keys()) {
    for (const scheme of flags.schemes.split(',')) {
      for (const width of flags.widths.split(',')) {
        await picture(browser, `http://127.0.0.1:${server.address().port}`, name, scheme, Number(width), faults)
            .catch((error) => faults.push(`${name}, ${scheme}, ${width}: ${error}`));
      }
    }
  }
} finally {
  await browser.close();
  server.close();
}
for (const fault of faults) console.log(fault);
process.exitCode = faults.length > 0 ? 1 : 0;
