// deploy/kubernetes, as kubectl builds it.
import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, test} from 'node:test';
import {configFaults, podFaults} from './exporter.mjs';
import {components, examples, kubernetes, kustomized, ofKind, only, podSpecs, readText, readYaml, templated} from './rendered.mjs';
import {imageFault, restrictedFaults} from './restricted.mjs';
import {kubectls, root} from './tools.mjs';
import {typeFaults} from './types.mjs';

// The base with one component, as an overlay has them.
const scratch = mkdtempSync(path.join(tmpdir(), 'manifests-'));
after(() => rmSync(scratch, {recursive: true}));
symlinkSync(kubernetes, path.join(scratch, 'kubernetes'));
function overlay(name, ...parts) {
  const folder = path.join(scratch, name);
  mkdirSync(folder);
  const there = path.relative(folder, kubernetes);
  writeFileSync(path.join(folder, 'kustomization.yaml'),
    JSON.stringify({resources: [`${there}/base`], components: parts.map((part) => `${there}/components/${part}`)}));
  return folder;
}

const folders = new Map([
  ['base', path.join(kubernetes, 'base')],
  ...components.map((name) => [`with ${name}`, overlay(name, name)]),
  ['with all', overlay('all', ...components)],
  ...examples.map((name) => [`example ${name}`, path.join(kubernetes, 'examples', name)]),
]);
const built = new Map([...folders].map(([name, folder]) => [name, kustomized(folder)]));
const all = [...built.values()].flat();

test('there are components and examples', () => {
  assert.deepEqual(components, ['cilium', 'grafana', 'lifecycle', 'network-policy', 'prometheus-operator', 'reachability', 'shards']);
  assert.deepEqual(examples, ['cilium', 'sharded', 'terraform-enterprise']);
});

test('an older kubectl builds the same', () => {
  for (const name of ['with all', 'example terraform-enterprise']) assert.deepEqual(kustomized(folders.get(name), kubectls[0]), built.get(name), name);
});

test('each document has the fields of its kind and no others', async () => {
  assert.deepEqual(await typeFaults(all), []);
});

test('each pod meets the Pod Security Standard restricted', () => {
  for (const [name, documents] of built) {
    assert.equal(podSpecs(documents).length, 1, name);
    for (const pod of podSpecs(documents)) assert.deepEqual(restrictedFaults(pod.spec), [], `${name}: ${pod.name}`);
  }
});

test('each image is a version of this project', () => {
  const version = /VERSION (\d+\.\d+\.\d+)/.exec(readText(root, 'CMakeLists.txt'))[1];
  for (const {spec} of podSpecs(all)) {
    for (const {image} of spec.containers) {
      assert.equal(imageFault(image), undefined);
      assert.ok(image.endsWith(`registry-backend-exporter:${version}`), image);
    }
  }
});

test('the exporter takes each configuration and the arguments', async () => {
  for (const [name, documents] of built) assert.deepEqual(await podFaults(documents), [], name);
});

test('a Secret is named, never held', () => {
  assert.deepEqual(ofKind(all, 'Secret'), []);
});

test('an edit of the configuration starts the pod anew', () => {
  const folder = overlay('edited');
  writeFileSync(path.join(folder, 'exporter.yml'), 'targets: [{registry: quay.io, repository: a/b}]\n');
  const file = path.join(folder, 'kustomization.yaml');
  const configMapGenerator = [{name: 'registry-backend-exporter', behavior: 'replace', files: ['exporter.yml']}];
  writeFileSync(file, JSON.stringify({...JSON.parse(readText(file)), configMapGenerator}));
  const configOf = (documents) => only(documents, 'StatefulSet').spec.template.spec.volumes.find(({name}) => name === 'config').configMap.name;
  const edited = kustomized(folder);
  assert.notEqual(configOf(edited), configOf(built.get('base')));
  assert.equal(configOf(edited), only(edited, 'ConfigMap').metadata.name);
});

test('what refers to the pods finds them, under the jobs that alerts go by', () => {
  for (const [name, documents] of built) {
    const set = only(documents, 'StatefulSet');
    const labels = set.spec.template.metadata.labels;
    const service = only(documents, 'Service');
    assert.equal(set.spec.serviceName, service.metadata.name, name);
    assert.deepEqual(set.spec.selector.matchLabels, labels);
    assert.deepEqual(service.spec.selector, labels);
    for (const policy of ofKind(documents, 'NetworkPolicy')) assert.deepEqual(policy.spec.podSelector.matchLabels, labels);
    for (const policy of ofKind(documents, 'CiliumNetworkPolicy')) assert.deepEqual(policy.spec.endpointSelector.matchLabels, labels);
    for (const monitor of ofKind(documents, 'ServiceMonitor')) {
      assert.deepEqual(monitor.spec.selector.matchLabels, service.metadata.labels);
      assert.equal(monitor.metadata.namespace, service.metadata.namespace);
      const [endpoint] = monitor.spec.endpoints;
      assert.equal(endpoint.port, service.spec.ports[0].name);
      assert.equal(endpoint.relabelings.at(-1).replacement, 'registry-backend-exporter');
    }
  }
});

test('the hosts to probe come from each instance', () => {
  for (const [name, documents] of built) {
    for (const config of ofKind(documents, 'ScrapeConfig')) {
      // Only the base's is of one instance and of the namespace default.
      if (!name.startsWith('example')) continue;
      const {metadata: {namespace}, spec: {replicas}} = only(documents, 'StatefulSet');
      assert.deepEqual(config.spec.httpSDConfigs.map(({url}) => url), Array.from({length: replicas}, (_, i) =>
        `http://registry-backend-exporter-${i}.registry-backend-exporter.${namespace}.svc:9877/api/v1/sd`));
    }
  }
});

// In the words of Prometheus' own configuration.
test('hosts are probed as in deploy/prometheus/prometheus.yml', () => {
  const job = readYaml(root, 'deploy/prometheus/prometheus.yml').scrape_configs.find(({job_name: name}) => name === 'registry-backend-reachability');
  const {spec} = only(built.get('with reachability'), 'ScrapeConfig');
  const [named, ...relabelings] = spec.relabelings;
  assert.deepEqual(named, {targetLabel: 'job', replacement: job.job_name});
  const snake = ({sourceLabels, targetLabel, ...rest}) => ({...(sourceLabels && {source_labels: sourceLabels}), target_label: targetLabel, ...rest});
  assert.deepEqual(relabelings.map(snake).slice(0, -1), job.relabel_configs.slice(0, -1));
  assert.equal(relabelings.at(-1).targetLabel, job.relabel_configs.at(-1).target_label);
  assert.deepEqual(spec.params, job.params);
  assert.equal(spec.metricsPath, job.metrics_path);
});

// See https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
test('a pod that cannot start is replaced when its configuration is mended', () => {
  for (const {spec} of ofKind([...all, ...templated(4)], 'StatefulSet')) assert.equal(spec.podManagementPolicy, 'Parallel');
});

test('there are as many shards as pods', () => {
  for (const name of ['with shards', 'example sharded']) {
    const {spec} = only(built.get(name), 'StatefulSet');
    assert.ok(spec.template.spec.containers[0].args.includes(`--shard.total=${spec.replicas}`), name);
  }
});

test('Cilium lets the example reach its registries', () => {
  const documents = built.get('example cilium');
  const names = only(documents, 'CiliumNetworkPolicy').spec.egress.flatMap(({toFQDNs = []}) => toFQDNs.map(({matchName}) => matchName));
  const {targets} = readYaml(kubernetes, 'examples/cilium/exporter.yml');
  for (const {registry} of targets) assert.ok(names.includes(new URL(registry).host), registry);
});

test('a configuration that is wrong would be seen', async () => {
  assert.match((await configFaults('targets: [{registry: quay.io, repositroy: a/b}]\n')).join(), /repositroy/);
});
