// deploy/kubernetes, as kubectl builds it.
import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {after, test} from 'node:test';
import {parse} from 'yaml';
import {argumentsOf, configFaults, podFaults} from './exporter.mjs';
import {components, examples, kubernetes, kustomize, kustomized, ofKind, only, podSpecs, readText, readYaml, templated} from './rendered.mjs';
import {imageFault, restrictedFaults} from './restricted.mjs';
import {kubectls, root} from './tools.mjs';
import {typeFaults} from './types.mjs';

// The base with one component, as an overlay has them.
const scratch = mkdtempSync(path.join(tmpdir(), 'manifests-'));
after(() => rmSync(scratch, {recursive: true}));
symlinkSync(kubernetes, path.join(scratch, 'kubernetes'));
function overlay(name, parts, {transformers = [], ...more} = {}) {
  const folder = path.join(scratch, name);
  mkdirSync(folder);
  const there = path.relative(folder, kubernetes);
  const below = (kind, names) => names.map((one) => `${there}/${kind}/${one}`);
  writeFileSync(path.join(folder, 'kustomization.yaml'),
    JSON.stringify({resources: [`${there}/base`], components: below('components', parts), transformers: below('transformers', transformers), ...more}));
  return folder;
}

const folders = new Map([
  ['base', path.join(kubernetes, 'base')],
  ...components.map((name) => [`with ${name}`, overlay(name, [name])]),
  ['with all', overlay('all', components)],
  ...examples.map((name) => [`example ${name}`, path.join(kubernetes, 'examples', name)]),
]);
const built = new Map([...folders].map(([name, folder]) => [name, kustomized(folder)]));
const all = [...built.values()].flat();

test('there are components and examples', () => {
  assert.deepEqual(components, ['cilium', 'grafana', 'lifecycle', 'network-policy', 'prometheus-operator', 'reachability', 'shards', 'shards-alert']);
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
  const configMapGenerator = [{name: 'registry-backend-exporter', behavior: 'replace', files: ['exporter.yml']}];
  const folder = overlay('edited', [], {configMapGenerator});
  writeFileSync(path.join(folder, 'exporter.yml'), 'targets: [{registry: quay.io, repository: a/b}]\n');
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

const urlsOf = (documents) => only(documents, 'ScrapeConfig').spec.httpSDConfigs.map(({url}) => url);

test('the hosts to probe come from each instance', () => {
  for (const [name, documents] of built) {
    for (const config of ofKind(documents, 'ScrapeConfig')) {
      // Only the base's is of one instance and of the namespace default.
      if (!name.startsWith('example')) continue;
      const {metadata: {namespace}, spec: {replicas}} = only(documents, 'StatefulSet');
      assert.deepEqual(urlsOf([config]), Array.from({length: replicas}, (_, i) =>
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

const shardAlert = (documents) => ofKind(documents, 'PrometheusRule').flatMap(({spec}) => spec.groups.flatMap(({rules}) => rules))
  .find(({alert}) => alert === 'RegistryBackendShardMissing');

function expectShards(documents, number) {
  const {spec} = only(documents, 'StatefulSet');
  const args = argumentsOf(spec.template.spec.containers[0], 2);
  assert.equal(spec.replicas, number);
  assert.ok(args.includes(`--shard.total=${number}`) && args.includes('--shard.index=2'), args);
  assert.ok(shardAlert(documents).expr.endsWith(` < ${number}`), shardAlert(documents).expr);
}

test('there are as many shards as pods, and the alert counts them', () => {
  for (const name of ['with all', 'example sharded']) expectShards(built.get(name), 3);
});

test('another number of shards is given once', () => {
  const replicas = [{name: 'registry-backend-exporter', count: 5}];
  for (const version of kubectls) {
    const folder = overlay(`five-${version}`, ['shards', 'shards-alert'], {replicas, transformers: ['shards'], nameSuffix: '-x'});
    expectShards(kustomized(folder, version), 5);
  }
});

test('a base that has become another stops what reaches into it by position', () => {
  const edit = (patch) => ({patches: [{target: {kind: 'StatefulSet'}, patch: JSON.stringify(patch)}]});
  const edits = {
    shards: [{op: 'replace', path: '/spec/template/spec/containers/0/name', value: 'first'}],
    lifecycle: [{op: 'replace', path: '/spec/template/spec/containers/0/name', value: 'first'}],
    'shards-env': [{op: 'add', path: '/spec/template/spec/containers/0/env', value: [{name: 'A', value: 'b'}]}],
  };
  for (const [name, patch] of Object.entries(edits)) {
    const other = overlay(`${name}-base`, [], edit(patch));
    const {ok, err} = kustomize(overlay(`${name}-on-it`, [name.replace('-env', '')], {resources: [path.relative(path.join(scratch, 'x'), other)]}));
    assert.ok(!ok, name);
    assert.match(err, /testing value .* failed/);
  }
});

test('the list of hosts is asked for in the namespace of the exporter', () => {
  for (const version of kubectls) {
    const folder = overlay(`namespace-${version}`, ['reachability'], {namespace: 'watch', transformers: ['namespace']});
    assert.deepEqual(urlsOf(kustomized(folder, version)), ['http://registry-backend-exporter-0.registry-backend-exporter.watch.svc:9877/api/v1/sd']);
  }
  const {ok, err} = kustomize(overlay('no-namespace', ['reachability'], {transformers: ['namespace']}));
  assert.ok(!ok);
  assert.match(err, /metadata\.namespace/);
});

// Whether a document chooses the Service and the pods that have these labels.
function chooses(document, {service, pod}) {
  const has = (labels, selector = {}) => Object.entries(selector).every(([key, value]) => labels[key] === value);
  switch (document.kind) {
    case 'Service': return has(pod, document.spec.selector);
    case 'StatefulSet': return has(pod, document.spec.selector.matchLabels);
    case 'NetworkPolicy': return has(pod, document.spec.podSelector.matchLabels);
    case 'CiliumNetworkPolicy': return has(pod, document.spec.endpointSelector.matchLabels);
    case 'ServiceMonitor': return has(service, document.spec.selector.matchLabels);
    default: return undefined;
  }
}

// The lines in docs/howto/kubernetes.md from one that begins so to the next empty one.
const inTheGuide = (begin) => parse(readText(root, 'docs/howto/kubernetes.md').split('\n\n').find((block) => block.startsWith(`    ${begin}`)));

test('the example takes the probes that the guide adds', () => {
  const {components: more, transformers} = inTheGuide('components:');
  const example = readYaml(kubernetes, 'examples/terraform-enterprise/kustomization.yaml');
  const folder = overlay('guide', []);
  const text = JSON.stringify({...example, components: [...example.components, ...more], transformers});
  writeFileSync(path.join(folder, 'kustomization.yaml'), text.replaceAll('../..', path.relative(folder, kubernetes)));
  writeFileSync(path.join(folder, 'exporter.yml'), readText(kubernetes, 'examples/terraform-enterprise/exporter.yml'));
  const documents = kustomized(folder);
  assert.deepEqual(urlsOf(documents), ['http://registry-backend-exporter-0.registry-backend-exporter.registry-backend.svc:9877/api/v1/sd']);
  assert.equal(only(documents, 'ScrapeConfig').metadata.labels.release, 'kube-prometheus-stack');
});

test('two instances in a namespace do not choose each other', () => {
  const guide = JSON.stringify(inTheGuide('nameSuffix:'));
  const instances = ['one', 'two'].map((name) => kustomized(
    overlay(`instance-${name}`, ['prometheus-operator', 'cilium', 'network-policy'], JSON.parse(guide.replaceAll('two', name)))));
  const labels = instances.map((documents) => ({
    service: only(documents, 'Service').metadata.labels, pod: only(documents, 'StatefulSet').spec.template.metadata.labels,
  }));
  for (const [i, documents] of instances.entries()) {
    const choosing = documents.filter((document) => chooses(document, labels[i]) !== undefined);
    assert.deepEqual(choosing.map(({kind}) => kind).sort(), ['CiliumNetworkPolicy', 'NetworkPolicy', 'Service', 'ServiceMonitor', 'StatefulSet']);
    for (const document of choosing) {
      assert.deepEqual(labels.map((one) => chooses(document, one)), [i === 0, i === 1], `${document.kind} ${document.metadata.name}`);
    }
    assert.equal(only(documents, 'StatefulSet').spec.serviceName, only(documents, 'Service').metadata.name);
  }
  const names = instances.flat().map(({kind, metadata}) => `${kind}/${metadata.name}`);
  assert.equal(new Set(names).size, names.length, names);
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
