// What Kubernetes lets nobody change of a StatefulSet stays as it is from one version to the next.
import assert from 'node:assert/strict';
import path from 'node:path';
import {test} from 'node:test';
import {kubernetes, kustomized, only, templated} from './rendered.mjs';
import {helms} from './tools.mjs';

const NAME = 'registry-backend-exporter';
const chartLabels = (name) => ({'app.kubernetes.io/name': name, 'app.kubernetes.io/instance': 'watch'});
const claim = (labels, {annotations, ...spec} = {}) => ({
  metadata: {name: 'data', labels, ...(annotations && {annotations})}, spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}, ...spec},
});

// As they were in 0.1.0, where people have them installed.
const INSTALLED = {
  base: {
    name: NAME, serviceName: NAME, podManagementPolicy: 'Parallel', matchLabels: {'app.kubernetes.io/name': NAME},
    volumeClaimTemplates: [claim({'app.kubernetes.io/name': NAME})],
  },
  chart: {
    name: `watch-${NAME}`, serviceName: `watch-${NAME}`, podManagementPolicy: 'Parallel', matchLabels: chartLabels(NAME),
    volumeClaimTemplates: [claim(chartLabels(NAME))],
  },
  'chart, full': {
    name: `watch-${NAME}`, serviceName: `watch-${NAME}`, podManagementPolicy: 'Parallel', matchLabels: chartLabels(NAME),
    volumeClaimTemplates: [claim({...chartLabels(NAME), backup: 'daily'}, {
      annotations: {'example.com/backup': 'yes'}, accessModes: ['ReadWriteOncePod'], resources: {requests: {storage: '500Mi'}}, storageClassName: 'fast',
    })],
  },
  'chart, sharded': {
    name: `watch-${NAME}`, serviceName: `watch-${NAME}`, podManagementPolicy: 'Parallel', matchLabels: chartLabels(NAME),
    volumeClaimTemplates: [claim(chartLabels(NAME))],
  },
};

// What follows from a change, beside that Kubernetes refuses the upgrade.
const BREAKS = {
  name: 'there would be a second StatefulSet with empty volumes beside the old one',
  serviceName: 'the names of the pods, by which service discovery and drills reach them, would be others',
  podManagementPolicy: 'a pod that a bad configuration keeps from starting would not be replaced',
  matchLabels: 'the pods that run would belong to no StatefulSet, and Services, policies and budgets would miss them',
  volumeClaimTemplates: 'the volumes with what is known would not be found, and the next scan would be a new baseline',
};

const immutable = ({metadata: {name}, spec: {serviceName, podManagementPolicy, selector: {matchLabels}, volumeClaimTemplates}}) =>
  ({name, serviceName, podManagementPolicy, matchLabels, volumeClaimTemplates});

const found = {
  base: [kustomized(path.join(kubernetes, 'base'))],
  chart: helms.map((version) => templated(version)),
  'chart, full': helms.map((version) => templated(version, {values: 'full'})),
  'chart, sharded': helms.map((version) => templated(version, {values: 'sharded'})),
};

for (const [what, renderings] of Object.entries(found)) {
  test(`an upgrade of what is installed is not refused: ${what}`, () => {
    for (const documents of renderings) {
      const now = immutable(only(documents, 'StatefulSet'));
      for (const [field, value] of Object.entries(INSTALLED[what])) {
        assert.deepEqual(now[field], value, `${field} of the StatefulSet (${what}) has changed:
  it was ${JSON.stringify(value)}
  and is ${JSON.stringify(now[field])}.
Kubernetes refuses such an upgrade ("updates to statefulset spec … are forbidden"); where it did not, ${BREAKS[field]}.`);
      }
    }
  });
}

// What people may set from one day to the next without being refused.
test('no label of a release gets into what cannot be changed', () => {
  const set = ['commonLabels={"a": "b"}', 'podLabels={"c": "d"}', 'labels={"e": "f"}', 'image.tag="9.9.9"', 'service.labels={"g": "h"}'];
  assert.deepEqual(immutable(only(templated(4, {set}), 'StatefulSet')), INSTALLED.chart);
});
