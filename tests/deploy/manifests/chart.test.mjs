// The chart, as both Helms render it with the values of values/.
import assert from 'node:assert/strict';
import path from 'node:path';
import {test} from 'node:test';
import {podFaults} from './exporter.mjs';
import {chart, ofKind, only, podSpecs, readText, readYaml, templated, valueSets} from './rendered.mjs';
import {imageFault, restrictedFaults} from './restricted.mjs';
import {helm, helms, here, root} from './tools.mjs';
import {typeFaults} from './types.mjs';

const rendered = new Map([undefined, ...valueSets].map((values) => [values ?? 'default', templated(4, {values})]));
const all = [...rendered.values()].flat();
const containerOf = (name) => only(rendered.get(name), 'StatefulSet').spec.template.spec.containers[0];
const metadataOf = (documents, kind) => only(documents, kind).metadata;

test('helm lint --strict finds nothing', () => {
  for (const version of helms) {
    for (const values of [[], ...valueSets.map((name) => ['--values', path.join(here, 'values', `${name}.yaml`)])]) {
      const {ok, out, err} = helm(version, 'lint', '--strict', chart, ...values);
      assert.ok(ok, `Helm ${version} ${values}: ${out}${err}`);
      assert.doesNotMatch(out, /WARNING|ERROR/);
    }
  }
});

test('Helm 3 renders what Helm 4 renders', () => {
  for (const [name, documents] of rendered) assert.deepEqual(templated(3, {values: name === 'default' ? undefined : name}), documents, name);
});

test('each document has the fields of its kind and no others', async () => {
  assert.deepEqual(await typeFaults(all), []);
});

test('each pod meets the Pod Security Standard restricted, that of helm test too', () => {
  const pods = podSpecs(all);
  assert.ok(pods.some(({name}) => name.startsWith('Pod/')));
  for (const {name, spec} of pods) assert.deepEqual(restrictedFaults(spec), [], name);
});

test('each image is a version or a digest', () => {
  for (const {spec} of podSpecs(all)) for (const {image} of spec.containers) assert.equal(imageFault(image), undefined);
  assert.equal(containerOf('default').image, 'registry-backend-exporter:0.1.0');
  assert.equal(containerOf('full').image, 'registry.example.com:5000/tools/registry-backend-exporter:0.1.0-debian12');
  assert.match(containerOf('odd').image, /^registry-backend-exporter@sha256:0123/);
});

test('the chart has the version of the project', () => {
  const version = /VERSION (\d+\.\d+\.\d+)/.exec(readText(root, 'CMakeLists.txt'))[1];
  const {version: charts, appVersion} = readYaml(chart, 'Chart.yaml');
  assert.equal(appVersion, version);
  assert.equal(charts, version);
});

test('the exporter takes each configuration and the arguments', async () => {
  for (const [name, documents] of rendered) assert.deepEqual(await podFaults(documents), [], name);
});

test('texts stay as they were written', () => {
  const documents = rendered.get('odd');
  const set = only(documents, 'StatefulSet');
  const {data} = ofKind(documents, 'ConfigMap').find(({data: files}) => files['exporter.yml']);
  assert.equal(data.yes, '{{ .Release.Name }} <&> 100%');
  assert.equal(data['several.txt'], 'a\n\n  b\n# c\n');
  const {annotations} = set.spec.template.metadata;
  assert.equal(annotations.template, '{{ not one }}');
  assert.equal(annotations.quote, 'it\'s "this"');
  assert.equal(set.metadata.labels.on, 'off');
  assert.equal(set.metadata.labels.octal, '0777');
  const {spec} = set.spec.template;
  assert.equal(spec.volumes.find(({name}) => name === 'credentials').secret.secretName, '0123');
  assert.equal(spec.volumes.find(({name}) => name === 'data').persistentVolumeClaim.claimName, '42');
  assert.equal(only(rendered.get('full'), 'ServiceMonitor').spec.endpoints[0].metricRelabelings[0].regex, 'registry_backend_tag_.*');
});

test('names have at most 63 characters', () => {
  for (const release of ['watch', 'a-release'.padEnd(53, '-of-a-long-name')]) {
    for (const {kind, metadata: {name, labels = {}}} of templated(4, {values: 'odd', release})) {
      if (kind !== 'ScrapeConfig' && kind !== 'ConfigMap') assert.ok(name.length <= 63, `${kind} ${name}`);
      for (const value of Object.values(labels)) assert.ok(value.length <= 63, `${kind} ${name}: ${value}`);
      // What the StatefulSet's controller puts after it, for a label of each pod.
      if (kind === 'StatefulSet') assert.ok(name.length <= 52, name);
    }
  }
});

test('what refers to the pods finds them and not the pod of the test', () => {
  for (const [name, documents] of rendered) {
    const set = only(documents, 'StatefulSet');
    const has = (labels, selector) => Object.entries(selector).every(([key, value]) => labels[key] === value);
    const {labels} = set.spec.template.metadata;
    const service = only(documents, 'Service');
    const selectors = [set.spec.selector.matchLabels, service.spec.selector,
      ...['NetworkPolicy', 'PodDisruptionBudget'].flatMap((kind) => ofKind(documents, kind).map(({spec}) => (spec.podSelector ?? spec.selector).matchLabels))];
    for (const selector of selectors) {
      assert.ok(has(labels, selector), name);
      for (const pod of ofKind(documents, 'Pod')) assert.ok(!has(pod.metadata.labels, selector), name);
    }
    for (const {spec, metadata} of ofKind(documents, 'ServiceMonitor')) {
      assert.ok(has(service.metadata.labels, spec.selector.matchLabels), name);
      assert.deepEqual(spec.namespaceSelector.matchNames, [service.metadata.namespace]);
      assert.ok(metadata.labels);
    }
    assert.equal(set.spec.serviceName, service.metadata.name);
    assert.equal(service.spec.ports[0].port, set.spec.template.spec.containers[0].ports[0].containerPort, 'a headless Service maps no ports');
    for (const policy of ofKind(documents, 'NetworkPolicy')) {
      for (const pod of ofKind(documents, 'Pod')) {
        assert.ok(policy.spec.ingress[0].from.some(({podSelector}) => podSelector && has(pod.metadata.labels, podSelector.matchLabels)), name);
      }
    }
  }
});

test('the pod of the test runs where the pods of the release may, and looks names up as they do', () => {
  const FIELDS = ['nodeSelector', 'tolerations', 'affinity', 'imagePullSecrets', 'priorityClassName', 'hostAliases', 'dnsPolicy', 'dnsConfig'];
  const pod = only(rendered.get('full'), 'Pod').spec;
  const {spec} = only(rendered.get('full'), 'StatefulSet').spec.template;
  for (const field of FIELDS) {
    assert.ok(spec[field], field);
    assert.deepEqual(pod[field], spec[field], field);
  }
  // Shards that keep apart may leave no node for it.
  assert.ok(only(rendered.get('sharded'), 'StatefulSet').spec.template.spec.affinity.podAntiAffinity);
  assert.equal(only(rendered.get('sharded'), 'Pod').spec.affinity, undefined);
});

test('the jobs have the names that alerts and dashboards go by', () => {
  for (const {spec} of ofKind(all, 'ServiceMonitor')) {
    assert.deepEqual(spec.endpoints[0].relabelings.at(-1), {targetLabel: 'job', replacement: 'registry-backend-exporter'});
  }
  for (const {spec} of ofKind(all, 'ScrapeConfig')) assert.deepEqual(spec.relabelings[0], {targetLabel: 'job', replacement: 'registry-backend-reachability'});
});

test('hosts are probed as by the component of deploy/kubernetes', () => {
  const component = readYaml(root, 'deploy/kubernetes/components/reachability/scrapeconfig.yaml').spec;
  const {spec} = only(rendered.get('sharded'), 'ScrapeConfig');
  assert.deepEqual(spec.relabelings.slice(0, -1), component.relabelings.slice(0, -1));
  assert.deepEqual({...spec, httpSDConfigs: 0, relabelings: 0}, {...component, httpSDConfigs: 0, relabelings: 0});
  assert.deepEqual(spec.httpSDConfigs.map(({url}) => url), [0, 1, 2].map((i) =>
    `http://watch-registry-backend-exporter-${i}.watch-registry-backend-exporter.monitoring.svc:9877/api/v1/sd`));
});

// As the comment in deploy/prometheus/prometheus.yml says.
test('all hosts may be probed by a request', () => {
  const regexes = (name) => only(rendered.get(name), 'ScrapeConfig').spec.relabelings.flatMap(({regex}) => regex ?? []);
  assert.deepEqual(regexes('full'), ['(.*)', '.*']);
  assert.deepEqual(regexes('tls'), ['(http:.*)', 'http:.*']);
});

test('shards are told their number', () => {
  const {args, env} = containerOf('sharded');
  assert.equal(only(rendered.get('sharded'), 'StatefulSet').spec.replicas, 3);
  assert.ok(args.includes('--shard.total=3') && args.includes('--shard.index=$(POD_INDEX)'));
  assert.equal(env[0].valueFrom.fieldRef.fieldPath, 'metadata.labels[\'apps.kubernetes.io/pod-index\']');
  assert.equal(env[1].name, 'HTTPS_PROXY');
  assert.ok(!containerOf('default').args.some((argument) => argument.startsWith('--shard')));
  assert.equal(only(rendered.get('sharded'), 'Pod').spec.containers.length, 3);
});

test('probes and the test go by how the exporter serves', () => {
  const probes = (name) => ['startupProbe', 'livenessProbe', 'readinessProbe'].map((probe) => containerOf(name)[probe]);
  for (const {httpGet} of probes('default')) assert.equal(httpGet.scheme, 'HTTP');
  for (const {httpGet} of [...probes('tls'), ...probes('bare')]) assert.equal(httpGet.scheme, 'HTTPS');
  for (const {httpGet, tcpSocket} of probes('client-certificates')) assert.ok(!httpGet && tcpSocket.port === 'http');
  assert.equal(containerOf('full').livenessProbe.initialDelaySeconds, 1);
  assert.match(only(rendered.get('tls'), 'Pod').spec.containers[0].args.join(' '), /--url=https:.* --insecure-skip-verify/);
  assert.deepEqual(ofKind(rendered.get('client-certificates'), 'Pod'), []);
  for (const name of ['tls', 'client-certificates']) assert.equal(only(rendered.get(name), 'ServiceMonitor').spec.endpoints[0].scheme, 'https');
});

test('the volume is as asked for', () => {
  const data = (name) => only(rendered.get(name), 'StatefulSet').spec;
  assert.deepEqual(data('default').volumeClaimTemplates[0].spec, {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}});
  assert.equal(data('full').volumeClaimTemplates[0].spec.storageClassName, 'fast');
  assert.deepEqual(data('full').persistentVolumeClaimRetentionPolicy, {whenDeleted: 'Delete', whenScaled: 'Retain'});
  const classOf = (name) => only(templated(4, {set: [`persistence.storageClass="${name}"`]}), 'StatefulSet').spec.volumeClaimTemplates[0].spec.storageClassName;
  assert.equal(classOf('-'), '', 'none at all, in place of the default one');
  assert.equal(classOf(''), undefined);
  for (const name of ['bare', 'odd']) assert.equal(data(name).volumeClaimTemplates, undefined, name);
  assert.deepEqual(data('bare').template.spec.volumes.find(({name}) => name === 'data'), {name: 'data', emptyDir: {}});
});

test('an edit of the configuration starts the pods anew, and nothing else does', () => {
  const checksum = (options) => only(templated(4, options), 'StatefulSet').spec.template.metadata.annotations['checksum/config'];
  const before = checksum({});
  assert.match(before, /^[0-9a-f]{64}$/);
  assert.notEqual(checksum({set: ['config.scan={"interval": "6h"}']}), before);
  assert.notEqual(checksum({set: ['extraConfigFiles={"a.txt": "b"}']}), before);
  assert.equal(checksum({set: ['resources.limits.memory="1Gi"']}), before);
  assert.equal(checksum({set: ['podAnnotations={"checksum/config": "mine"}']}), before);
  // The web server's file is reread, unless keys of it come or go.
  const web = (set) => only(templated(4, {values: 'tls', set}), 'StatefulSet').spec.template.metadata.annotations['checksum/web'];
  assert.equal(web(['web.config.basic_auth_users={"another": "x"}']), web([]));
  assert.notEqual(web(['web.config.rate_limit={"interval": "1s", "burst": 5}']), web([]));
});

test('users may be left to the cluster', () => {
  const set = ['podSecurityContext.runAsUser=null', 'podSecurityContext.runAsGroup=null', 'podSecurityContext.fsGroup=null'];
  for (const {spec} of podSpecs(templated(4, {set}))) {
    assert.deepEqual(Object.keys(spec.securityContext).sort(), ['fsGroupChangePolicy', 'runAsNonRoot', 'seccompProfile']);
  }
});

test('what can be taken away leaves good documents', async () => {
  const set = ['image.tag', 'persistence.storageClass', 'persistence.labels', 'serviceMonitor.interval', 'resources', 'podSecurityContext',
    'securityContext', 'livenessProbe', 'extraArgs', 'podAnnotations', 'commonLabels', 'networkPolicy.registryPorts'].map((at) => `${at}=null`);
  const [three, four] = helms.map((version) => templated(version, {set: [...set, 'serviceMonitor.enabled=true', 'networkPolicy.enabled=true']}));
  assert.deepEqual(three, four);
  assert.deepEqual(await typeFaults(four), []);
  assert.deepEqual(await podFaults(four), []);
});

test('an older Kubernetes gets no fields that it does not know', () => {
  assert.equal(only(templated(4, {kube: '1.26.0'}), 'StatefulSet').spec.persistentVolumeClaimRetentionPolicy, undefined);
});

test('Secrets hold nothing but the configuration of the web server', () => {
  assert.deepEqual(ofKind(all, 'Secret').map(({metadata, stringData}) => [metadata.name, Object.keys(stringData)]),
    Array(2).fill(['watch-registry-backend-exporter-web', ['web.yml']]));
});

test('objects of others may be in the release', () => {
  assert.deepEqual(ofKind(rendered.get('full'), 'ConfigMap').find(({metadata}) => metadata.name === 'watch-extra').data, {here: 'monitoring'});
  assert.equal(metadataOf(rendered.get('full'), 'ServiceMonitor').namespace, 'prometheus');
});
