// A pod as it would run: the exporter with the arguments and files of the rendered one, and a pull secret as kubectl makes it, on a
// simulated registry.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, before, test} from 'node:test';
import {setTimeout as pause} from 'node:timers/promises';
import {withPod} from './exporter.mjs';
import {kubernetes, kustomized, only, templated} from './rendered.mjs';
import {exporter, kubectl, kubectls, programs} from './tools.mjs';

const scratch = mkdtempSync(path.join(tmpdir(), 'pod-'));
const running = new Set();

// Ends with this process's test, come what may.
function start(program, ...args) {
  const child = spawn(program, args, {stdio: ['ignore', 'ignore', 'pipe']});
  child.log = '';
  child.stderr.on('data', (data) => { child.log += data; });
  running.add(child);
  child.ended = new Promise((resolve) => child.on('exit', (code) => { running.delete(child); resolve(code); }));
  return child;
}

async function eventually(what, holds) {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const value = await holds();
    if (value) return value;
    assert.ok(Date.now() < deadline, `not in time: ${what()}`);
    await pause(50);
  }
}

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const {port} = server.address();
    server.close(() => resolve(port));
  });
});

let registry;
before(async () => {
  const file = path.join(scratch, 'port');
  const simulator = start(programs.simulator, '--listen=127.0.0.1:0', '--auth=basic', '--username=terraform', '--password=the licence', '--tags=2',
    '--layers=3', '--latency=0ms', `--port-file=${file}`);
  registry = `127.0.0.1:${await eventually(() => simulator.log, () => existsSync(file) && readFileSync(file, 'utf8').trim())}`;
});
after(async () => {
  for (const child of [...running]) {
    child.kill('SIGKILL');
    await child.ended;
  }
  rmSync(scratch, {recursive: true});
});

function pullSecret(name) {
  const {ok, out, err} = kubectl(kubectls[0], 'create', 'secret', 'docker-registry', name, `--docker-server=${registry}`, '--docker-username=terraform',
    '--docker-password=the licence', '--dry-run=client', '--output=json');
  assert.ok(ok, err);
  return JSON.parse(out);
}

// The documents with the simulated registry in the place of the real one.
const atHand = (documents) => JSON.parse(JSON.stringify(documents).replaceAll('https://images.releases.hashicorp.com', `http://${registry}`));

async function scansAsAPod(documents) {
  const {spec} = only(documents, 'StatefulSet').spec.template;
  const [{startupProbe, livenessProbe}] = spec.containers;
  const {secretName} = spec.volumes.find(({name}) => name === 'credentials').secret;
  await withPod([...atHand(documents), pullSecret(secretName)], async ([args]) => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const child = start(programs.exporter, ...args.filter((one) => !one.startsWith('--web.listen-address')), `--web.listen-address=127.0.0.1:${port}`);
    const get = (at) => fetch(url + at).catch(() => ({ok: false}));
    await eventually(() => child.log, async () => (await get(startupProbe.httpGet.path)).ok);
    assert.ok((await get(livenessProbe.httpGet.path)).ok);
    await eventually(() => child.log, async () => /^registry_backend_scan_success\{.*\} 1$/m.test(await (await get('/metrics')).text()));
    assert.equal(exporter('healthcheck', `--url=${url}`).status, 0);
    const ended = child.ended;
    child.kill('SIGTERM');
    assert.equal(await ended, 0, child.log);
  });
}

test('the base scans with the pull secret as it is', () => scansAsAPod(kustomized(path.join(kubernetes, 'base'))));

test('so does the example', () => scansAsAPod(kustomized(path.join(kubernetes, 'examples/terraform-enterprise'))));

test('and the chart', () => scansAsAPod(templated(4, {set: ['existingSecret="tfe"']})));
