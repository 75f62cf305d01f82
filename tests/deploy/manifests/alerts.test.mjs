// The rules and the dashboards in the chart and in the components are those of alerts/ and dashboards/.
import assert from 'node:assert/strict';
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, test} from 'node:test';
import {stringify} from 'yaml';
import {chart, kubernetes, kustomized, ofKind, only, readText, readYaml, templated} from './rendered.mjs';
import {helms, promtool, root} from './tools.mjs';

const shipped = readYaml(root, 'alerts/registry-backend.rules.yml').groups;
const shippedForShards = readYaml(root, 'alerts/registry-backend-shards.rules.yml').groups;
const namesIn = (groups) => groups.flatMap(({rules}) => rules.map(({alert}) => alert));
const alerts = namesIn(shipped);
const enabled = {set: ['prometheusRule.enabled=true']};
const groupsOf = (options, version = 4) => only(templated(version, options), 'PrometheusRule').spec.groups;
const alertOf = (groups, name) => groups.flatMap(({rules}) => rules).find(({alert}) => alert === name);
const dashboards = readdirSync(path.join(root, 'dashboards')).filter((name) => name.endsWith('.json')).sort();

const scratch = mkdtempSync(path.join(tmpdir(), 'rules-'));
after(() => rmSync(scratch, {recursive: true}));
function accepted(groups) {
  const file = path.join(scratch, 'rules.yml');
  writeFileSync(file, stringify({groups}));
  return promtool('check', 'rules', file);
}

test('the rules are those of alerts/', () => {
  for (const version of helms) assert.deepEqual(groupsOf(enabled, version), shipped, `Helm ${version}`);
  const built = kustomized(path.join(kubernetes, 'examples/terraform-enterprise'));
  assert.deepEqual(only(built, 'PrometheusRule').spec.groups, shipped);
});

test('the rule for shards is that of alerts/', () => {
  const sharded = {set: [...enabled.set, 'shards=3']};
  for (const version of helms) assert.deepEqual(groupsOf(sharded, version), [...shipped, ...shippedForShards], `Helm ${version}`);
  const built = kustomized(path.join(kubernetes, 'examples/sharded'));
  assert.deepEqual(ofKind(built, 'PrometheusRule').map(({spec}) => spec.groups), [shipped, shippedForShards]);
});

test('the rule for shards counts those of the release', () => {
  const rule = (set) => alertOf(groupsOf({values: 'sharded', set}), 'RegistryBackendShardMissing');
  const place = {namespace: 'monitoring', service: 'watch-registry-backend-exporter'};
  assert.equal(rule([]).expr,
    '(count(group by (instance) (up{job="registry-backend-exporter",namespace="monitoring",service="watch-registry-backend-exporter"})) or vector(0)) < 3');
  assert.match(rule([]).annotations.description, /targets of the job registry-backend-exporter in the namespace monitoring, up or down/);
  assert.deepEqual(rule([]).labels, {...place, severity: 'warning'});
  assert.ok(rule(['shards=12']).expr.endsWith(' < 12'));
  assert.equal(rule(['prometheusRule.alerts.RegistryBackendShardMissing={"enabled": false}']), undefined);
  assert.equal(rule(['shards=1']), undefined);
});

test('promtool takes the rules, as they are and changed', () => {
  for (const options of [enabled, {values: 'full'}, {values: 'sharded'}]) {
    const {ok, out, err} = accepted(groupsOf(options));
    assert.ok(ok, out + err);
    assert.match(out, /SUCCESS: \d+ rules found/);
  }
  assert.ok(!accepted([{name: 'x', rules: [{alert: 'X', expr: 'up =='}]}]).ok);
});

test('alerts are changed one by one', () => {
  const groups = groupsOf({values: 'full'});
  assert.equal(alertOf(groups, 'RegistryBackendApprovedHostUnused'), undefined);
  const original = (name) => structuredClone(alertOf(shipped, name));
  const runbook = (name) => `https://wiki.example.com/runbooks/${name}`;
  const changed = (name, change) => {
    const rule = original(name);
    return {...rule, annotations: {...rule.annotations, runbook_url: runbook(name)}, ...change, labels: {...rule.labels, cluster: 'eu', ...change.labels}};
  };
  const changes = {
    RegistryBackendEndpointRemoved: {labels: {severity: 'critical', team: 'network'}},
    RegistryBackendExporterDown: {for: '30m', keep_firing_for: '1h'},
  };
  for (const name of alerts) {
    if (name !== 'RegistryBackendApprovedHostUnused') assert.deepEqual(alertOf(groups, name), changed(name, changes[name] ?? {}), name);
  }
  assert.equal(groups.at(-1).name, 'ours');
});

test('a group without alerts is left out', () => {
  const off = `prometheusRule.alerts=${JSON.stringify(Object.fromEntries(alerts.map((name) => [name, {enabled: false}])))}`;
  const ours = [{name: 'ours', rules: [{record: 'a:b', expr: 'up'}]}];
  assert.deepEqual(groupsOf({set: ['prometheusRule.enabled=true', off, `prometheusRule.extraGroups=${JSON.stringify(ours)}`]}), ours);
});

test('where all alerts are off there is no PrometheusRule', () => {
  const off = `prometheusRule.alerts=${JSON.stringify(Object.fromEntries(alerts.map((name) => [name, {enabled: false}])))}`;
  for (const version of helms) assert.deepEqual(ofKind(templated(version, {set: ['prometheusRule.enabled=true', off]}), 'PrometheusRule'), []);
});

test('each alert can be changed, and no other', () => {
  const {properties} = JSON.parse(readText(chart, 'values.schema.json')).properties.prometheusRule.properties.alerts;
  assert.deepEqual(Object.keys(properties).sort(), [...alerts, ...namesIn(shippedForShards)].sort());
});

test('the dashboards are those of dashboards/', () => {
  for (const version of helms) {
    const maps = ofKind(templated(version, {set: ['dashboards.enabled=true']}), 'ConfigMap').filter(({metadata}) => metadata.labels.grafana_dashboard === '1');
    assert.deepEqual(Object.fromEntries(maps.flatMap(({data}) => Object.entries(data))),
      Object.fromEntries(dashboards.map((name) => [name, readText(root, 'dashboards', name)])), `Helm ${version}`);
    for (const {metadata} of maps) assert.equal(metadata.annotations.grafana_folder, 'Registry backends');
  }
});

test('a sidecar may go by another label', () => {
  const maps = ofKind(templated(4, {values: 'full'}), 'ConfigMap').filter(({metadata}) => metadata.labels?.dashboard === 'yes');
  assert.equal(maps.length, dashboards.length);
  for (const {metadata} of maps) assert.equal(metadata.namespace, 'grafana');
});
