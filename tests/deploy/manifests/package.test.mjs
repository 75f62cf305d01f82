// The chart as it is packed and installed by others, and what is written about it.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {lstatSync, mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, test} from 'node:test';
import {chart, readText, readYaml, templated} from './rendered.mjs';
import {helm, helms, python, root} from './tools.mjs';

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
