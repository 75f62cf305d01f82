// What the other tests go by does see a mistake: each is made on purpose here.
import assert from 'node:assert/strict';
import path from 'node:path';
import {test} from 'node:test';
import {kubernetes, kustomized, only, templated} from './rendered.mjs';
import {imageFault, restrictedFaults} from './restricted.mjs';
import {typeFaults} from './types.mjs';

const built = kustomized(path.join(kubernetes, 'examples/terraform-enterprise'));
const cilium = kustomized(path.join(kubernetes, 'examples/cilium'));
const rendered = templated(4, {values: 'full'});

// A copy with what stands at a path replaced, or taken away.
function edited(document, at, value) {
  const copy = structuredClone(document);
  const keys = at.split('/');
  const last = keys.pop();
  const holder = keys.reduce((inner, key) => inner[key], copy);
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return copy;
}

const POD = 'spec/template/spec';

test('fields that there are not, and values that cannot be, are seen', async () => {
  const set = only(built, 'StatefulSet');
  const mistakes = [
    [edited(set, `${POD}/containers/0/readinesProbe`, {}), /readinesProbe/],
    [edited(set, `${POD}/securityContext/allowPrivilegeEscalation`, false), /allowPrivilegeEscalation/],
    [edited(set, 'spec/replicas', '1'), /replicas/],
    [edited(set, 'spec/selector'), /selector/],
    [edited(set, `${POD}/containers/0/imagePullPolicy`, 'Sometimes'), /imagePullPolicy|Sometimes/],
    [edited(only(built, 'Service'), 'spec/ports/0/port', 'http'), /port/],
    [edited(only(built, 'NetworkPolicy'), 'spec/ingress/0/from/0/namespaceSelectors', {}), /namespaceSelectors/],
    [edited(only(built, 'ServiceMonitor'), 'spec/endpoints/0/tlsconfig', {}), /tlsconfig/],
    [edited(only(built, 'ServiceMonitor'), 'spec/endpoints/0/interval', '1 minute'), /interval/],
    [edited(only(built, 'PrometheusRule'), 'spec/groups/0/rules/0/severity', 'critical'), /severity/],
    [edited(only(built, 'PrometheusRule'), 'spec/groups/0/rules/0/labels/severity', 1), /labels|severity/],
    [edited(only(rendered, 'ScrapeConfig'), 'spec/httpSdConfigs', []), /httpSdConfigs/],
    [edited(only(rendered, 'ScrapeConfig'), 'spec/httpSDConfigs/0/url'), /url/],
    [edited(only(cilium, 'CiliumNetworkPolicy'), 'spec/egress/1/toFQDN', []), /toFQDN/],
    [edited(only(cilium, 'CiliumNetworkPolicy'), 'spec/egress/1/toPorts/0/ports/0/port', 443), /port/],
    [{...set, apiVersion: 'apps/v2'}, /no type for apps\/v2/],
  ];
  const faults = await typeFaults(mistakes.map(([document], i) => ({...document, metadata: {...document.metadata, name: `mistake-${i}-`}})));
  for (const [i, [, what]] of mistakes.entries()) {
    const found = faults.filter((fault) => fault.includes(`/mistake-${i}-:`));
    assert.ok(found.some((fault) => what.test(fault)), `${i} ${what}: ${found.join('\n')}`);
  }
});

test('each key of the security contexts is missed', () => {
  for (const document of [only(built, 'StatefulSet'), only(rendered, 'StatefulSet')]) {
    const {spec} = document.spec.template;
    assert.deepEqual(restrictedFaults(spec), []);
    const wrong = [
      ['securityContext'], ['securityContext/runAsNonRoot'], ['securityContext/runAsUser'], ['securityContext/seccompProfile'],
      ['securityContext/runAsUser', 0], ['securityContext/seccompProfile/type', 'Unconfined'],
      ['containers/0/securityContext'], ['containers/0/securityContext/allowPrivilegeEscalation'], ['containers/0/securityContext/capabilities'],
      ['containers/0/securityContext/capabilities/drop', ['NET_RAW']], ['containers/0/securityContext/capabilities/add', ['NET_BIND_SERVICE']],
      ['containers/0/securityContext/readOnlyRootFilesystem'], ['containers/0/securityContext/privileged', true],
      ['containers/0/securityContext/runAsNonRoot', false], ['containers/0/securityContext/runAsUser', 0],
      ['containers/0/ports/0/hostPort', 9877], ['containers/0/resources/limits'], ['containers/0/resources/requests'],
      ['automountServiceAccountToken'], ['enableServiceLinks'], ['hostNetwork', true], ['hostPID', true],
      ['volumes/0', {name: 'x', hostPath: {path: '/'}}], ['initContainers', [{name: 'x'}]],
    ];
    for (const [at, value] of wrong) assert.notDeepEqual(restrictedFaults(edited(spec, at, value)), [], `${at} ${value}`);
  }
});

test('an image without a version is seen', () => {
  for (const image of ['a/b', 'a/b:latest', 'registry:5000/a/b', 'a/b:main', 'a/b@sha256:12']) assert.ok(imageFault(image), image);
  for (const image of ['a/b:0.1.0', 'registry:5000/a/b:v1.2-debian']) assert.equal(imageFault(image), undefined);
});
