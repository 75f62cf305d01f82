// The chart as it is packed and installed by others, and what is written about it.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, test} from 'node:test';
import {podFaults} from './exporter.mjs';
import {chart, notes, readText, readYaml, templated} from './rendered.mjs';
import {helm, helms, python, root} from './tools.mjs';
import {typeFaults} from './types.mjs';

const scratch = mkdtempSync(path.join(tmpdir(), 'chart-'));
after(() => rmSync(scratch, {recursive: true}));

const linked = ['files/registry-backend.rules.yml', ...readdirSync(path.join(root, 'dashboards'))
  .filter((name) => name.endsWith('.json')).map((name) => `files/dashboards/${name}`)].sort();

test('what the chart has of others are links, to all of it', () => {
  const found = readdirSync(path.join(chart, 'files'), {recursive: true}).filter((name) => /\.\w+$/.test(name)).map((name) => `files/${name}`).sort();
  assert.deepEqual(found, linked);
  for (const name of linked) assert.ok(lstatSync(path.join(chart, name)).isSymbolicLink(), name);
});

test('a packed chart holds the files themselves, and renders the same', () => {
  for (const version of helms) {
    const folder = path.join(scratch, `helm${version}`);
    const {ok, err} = helm(version, 'package', chart, '--destination', folder);
    assert.ok(ok, err);
    const archive = path.join(folder, readdirSync(folder)[0]);
    execFileSync('tar', ['--warning=no-timestamp', '-xzf', archive, '-C', folder]);
    for (const name of linked) {
      assert.ok(lstatSync(path.join(folder, 'registry-backend-exporter', name)).isFile(), name);
      assert.equal(readText(folder, 'registry-backend-exporter', name), readText(chart, name));
    }
    assert.deepEqual(templated(version, {folder: archive, values: 'full'}), templated(version, {values: 'full'}));
  }
});

test('the README is what the generator prints', () => {
  const {ok, out, err} = python(path.join(root, 'deploy/helm/readme.py'));
  assert.ok(ok, err);
  assert.equal(readText(chart, 'README.md'), out, 'run deploy/helm/readme.py >deploy/helm/registry-backend-exporter/README.md');
});

// The blocks of YAML in a page that begin with a key.
function blocks(page) {
  return readText(root, page).split('\n\n').filter((block) => /^ {4}[a-zA-Z]+:$/m.test(block.split('\n')[0])).map((block) => block.replaceAll(/^ {4}/gm, ''));
}

test('the values in docs/howto/helm.md are good ones', async () => {
  const found = blocks('docs/howto/helm.md');
  assert.deepEqual(found.map((text) => text.split(':')[0]), ['image', 'prometheusRule', 'web']);
  const all = [];
  for (const [i, text] of found.entries()) {
    const file = path.join(scratch, `values${i}.yaml`);
    writeFileSync(file, text);
    const documents = templated(3, {file});
    all.push(...documents);
    // The last one has no real password.
    if (i < 2) assert.deepEqual(await podFaults(documents), []);
    if (i === 0) assert.doesNotMatch(notes({file}), /WARNING: (?!serviceMonitor or prometheusRule is enabled, and the cluster)/);
  }
  assert.deepEqual(await typeFaults(all), []);
});

// Each key of the values has its place in the schema, and the other way round.
test('the schema knows the values that there are, and no others', () => {
  const schema = JSON.parse(readText(chart, 'values.schema.json'));
  const compare = (values, {properties}, at) => {
    if (!properties || typeof values !== 'object') return;
    const known = Object.keys(properties).filter((key) => `${at}${key}` !== '.global');
    // What may be given and has no default.
    if (known.some((key) => !(key in values)) && Object.keys(values).every((key) => known.includes(key)) && OPEN.includes(at)) return;
    assert.deepEqual(Object.keys(values).sort(), known.sort(), at);
    for (const [key, value] of Object.entries(values)) compare(value, properties[key], `${at}${key}.`);
  };
  const OPEN = ['.config.', '.web.config.', '.prometheusRule.alerts.', '.resources.'];
  compare(readYaml(chart, 'values.yaml'), schema, '.');
});
