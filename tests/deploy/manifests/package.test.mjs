// The chart as it is packed and installed by others, and what is written about it.
import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, test} from 'node:test';
import {parse, stringify} from 'yaml';
import {podFaults} from './exporter.mjs';
import {chart, notes, readText, readYaml, templated} from './rendered.mjs';
import {helm, helmProgram, helms, programs, python, root} from './tools.mjs';
import {typeFaults} from './types.mjs';

const scratch = mkdtempSync(path.join(tmpdir(), 'chart-'));
after(() => rmSync(scratch, {recursive: true}));

const linked = ['files/registry-backend-shards.rules.yml', 'files/registry-backend.rules.yml', ...readdirSync(path.join(root, 'dashboards'))
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
    for (const values of ['full', 'sharded']) assert.deepEqual(templated(version, {folder: archive, values}), templated(version, {values}));
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
  assert.deepEqual(found.map((text) => text.split(':')[0]), ['image', 'reachability', 'prometheusRule', 'web']);
  const all = [];
  for (const [i, text] of found.entries()) {
    const file = path.join(scratch, `values${i}.yaml`);
    writeFileSync(file, text);
    const documents = templated(3, {file});
    all.push(...documents);
    // The last one has no real password.
    if (i < 3) assert.deepEqual(await podFaults(documents), []);
    if (i === 0) assert.doesNotMatch(notes({file}), /WARNING: (?!serviceMonitor or prometheusRule is enabled, and the cluster)/);
  }
  assert.deepEqual(await typeFaults(all), []);
});

// The lines of a page, as one pastes them, from one that begins so to the next empty one.
const script = (page, begin) => readText(root, page).split('\n\n').find((block) => block.startsWith(`    ${begin}`)).replaceAll(/^ {4}/gm, '');

// Runs it in a folder with programs of these names.
function pasted(text, files, programs) {
  const folder = mkdtempSync(path.join(scratch, 'pasted-'));
  mkdirSync(path.join(folder, 'bin'));
  for (const [name, program] of Object.entries(programs)) symlinkSync(program, path.join(folder, 'bin', name));
  symlinkSync(path.join(root, 'deploy'), path.join(folder, 'deploy'));
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
  const env = {...process.env, PATH: `${folder}/bin:${process.env.PATH}`, HOME: '/nonexistent'};
  return spawnSync('bash', ['-c', text], {cwd: folder, encoding: 'utf8', env});
}

test('a configuration with files beside it is checked as docs/howto/helm.md says', () => {
  const check = script('docs/howto/helm.md', 'mkdir -p check');
  const values = (hosts) => stringify({
    config: {targets: [{registry: 'https://quay.io', repository: 'a/b', policy: {approved_hosts_file: 'hosts.txt'}}]}, extraConfigFiles: {'hosts.txt': hosts},
  });
  const run = (hosts) => pasted(check, {'values.yaml': values(hosts)}, {helm: helmProgram(4), registry_backend_exporter: programs.exporter});
  const good = run('a.example\n');
  assert.equal(good.status, 0, good.stdout + good.stderr);
  const bad = run('not a host\n');
  assert.notEqual(bad.status, 0);
  assert.match(bad.stdout + bad.stderr, /hosts\.txt/);
});

test('the modules of deploy/prometheus go into the chart of blackbox_exporter', () => {
  for (const page of ['docs/howto/helm.md', 'docs/howto/kubernetes.md']) {
    const [values, command] = script(page, '(echo config:').split('|\n');
    assert.match(command, /^ +helm upgrade --install blackbox-exporter .* --values -$/s);
    const {stdout, stderr} = pasted(values, {}, {});
    assert.deepEqual(parse(stdout), {config: readYaml(root, 'deploy/prometheus/blackbox.yml')}, stderr);
  }
});

// Pasted into a shell, a kubectl that fails must neither close that nor leave a list that is cut short.
test('the lists of all shards are there together or not at all', () => {
  const lists = /^( +)\(?for i in[^]*?hosts\.new$/m.exec(readText(root, 'docs/howto/sizing.md'))[0];
  const run = (fails) => {
    const folder = mkdtempSync(path.join(scratch, 'lists-'));
    writeFileSync(path.join(folder, 'kubectl'), `#!/bin/sh\ncase "$*" in *exporter-${fails}\\ *) exit 3;; esac\necho host.example\n`, {mode: 0o755});
    const env = {...process.env, PATH: `${folder}:${process.env.PATH}`};
    const out = execFileSync('sh', ['-c', `${lists}\necho still here`], {cwd: folder, encoding: 'utf8', env});
    assert.equal(out, 'still here\n');
    return readdirSync(folder).includes('hosts.new') && readText(folder, 'hosts.new');
  };
  assert.equal(run('none'), 'host.example\n'.repeat(3));
  assert.equal(run(1), false);
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
  const OPEN = ['.config.', '.web.config.', '.prometheusRule.alerts.', '.resources.', '.dnsConfig.'];
  compare(readYaml(chart, 'values.yaml'), schema, '.');
});
