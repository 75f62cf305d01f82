// Values that are wrong are refused, by a message that says where and why.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {stringify} from 'yaml';
import {notes, template} from './rendered.mjs';
import {helms} from './tools.mjs';

// What is set, where the message says that it is, and what it says of it.
const WRONG = [
  ['replicaCount=2', 'replicaCount', /not allowed/],
  ['shards=0', 'shards', /greater than or equal to 1|want 1/],
  ['image.digest="0.1.0"', 'image digest', /pattern .*sha256/],
  ['image.tag=1.5', 'image tag', /string/],
  ['image.registry="registry example"', 'image registry', /pattern/],
  ['image.repository="Tools/Exporter"', 'image repository', /pattern/],
  [`image.tag="${'1'.repeat(129)}"`, 'image tag', /pattern/],
  ['image.pullPolicy="Sometimes"', 'image pullPolicy', /Always.*IfNotPresent.*Never/],
  ['image.pullSecrets=["mirror"]', 'image pullSecrets 0', /object/],
  ['config.scans={}', 'config.*scans', /not allowed/],
  ['config.targets=[{"repository": "a/b"}]', 'config targets 0', /registry/],
  ['existingSecret="My Secret"', 'existingSecret', /pattern/],
  ['log.level="loud"', 'log level', /debug.*info.*warn.*error/],
  ['web.port=70000', 'web port', /65,?535/],
  ['web.config={"tls": true}', 'web config.*tls', /not allowed/],
  ['web.externalUrl="ops.example.com/backends"', 'web externalUrl', /pattern/],
  ['networkPolicy.dnsPorts=["dns"]', 'networkPolicy dnsPorts 0', /integer/],
  ['web.enableLifecycle="yes"', 'web enableLifecycle', /boolean/],
  ['persistence.size=5', 'persistence size', /string/],
  ['persistence.accessModes=["ReadOnlyMany"]', 'persistence accessModes 0', /ReadWriteOnce/],
  ['serviceMonitor.interval="1 minute"', 'serviceMonitor interval', /pattern/],
  ['serviceMonitor.labels={"release": 1}', 'serviceMonitor labels release', /string/],
  ['prometheusRule.alerts={"RegistryBackendNoSuch": {"enabled": false}}', 'prometheusRule alerts.*RegistryBackendNoSuch', /not allowed/],
  ['prometheusRule.alerts={"RegistryBackendScanStale": {"severity": "high"}}', 'prometheusRule alerts RegistryBackendScanStale severity', /critical.*warning/],
  ['prometheusRule.alerts={"RegistryBackendExporterDown": {"for": "soon"}}', 'prometheusRule alerts RegistryBackendExporterDown for', /pattern/],
  ['reachability.blackboxAddress="http://blackbox:9115"', 'reachability blackboxAddress', /pattern/],
  ['reachability.blackboxAddress="::1:9115"', 'reachability blackboxAddress', /pattern/],
  ['reachability.blackboxAddress="blackbox"', 'reachability blackboxAddress', /pattern/],
  ['persistence.storageClass="Fast Disk"', 'persistence storageClass', /pattern/],
  ['podLabels={"a": "b c"}', 'podLabels a', /pattern/],
  ['commonLabels={"a:b": "c"}', 'commonLabels.*a:b', /not allowed/],
  [`persistence.labels={"a": "${'b'.repeat(64)}"}`, 'persistence labels a', /pattern/],
  ['nodeSelector={"disk": "very fast"}', 'nodeSelector disk', /pattern/],
  ['dashboards.label="a/b/c"', 'dashboards label', /pattern/],
  ['prometheusRule.alertLabels={"a-b": "c"}', 'prometheusRule alertLabels.*a-b', /not allowed/],
  ['prometheusRule.alerts={"RegistryBackendExporterDown": {"keepFiringFor": "soon"}}', 'prometheusRule alerts RegistryBackendExporterDown keepFiringFor', /pattern/],
  ['hostAliases=[{"ip": "192.0.2.1"}]', 'hostAliases 0', /hostnames/],
  ['dnsPolicy="Host"', 'dnsPolicy', /ClusterFirst.*None/],
  ['dnsConfig={"nameserver": "192.0.2.53"}', 'dnsConfig', /not allowed/],
  ['networkPolicy.registryPorts=["https"]', 'networkPolicy registryPorts 0', /integer/],
  ['networkPolicy.from=[]', 'networkPolicy from', /1/],
  ['extraArgs=["web.enable-lifecycle"]', 'extraArgs 0', /pattern/],
  ['livenessProbe.httpGet={}', 'livenessProbe.*httpGet', /not allowed/],
  ['terminationGracePeriodSeconds=1', 'terminationGracePeriodSeconds', /6/],
  // What is taken away is missed where it is needed.
  ['service=null', '', /service is required|missing property 'service'/],
  ['persistence.accessModes=null', 'persistence', /accessModes is required|missing property 'accessModes'/],
  ['web.config=null', 'web', /config is required|missing property 'config'/],
  ['podDisruptionBudget.maxUnavailable="half"', 'podDisruptionBudget maxUnavailable', /pattern/],
];

// Helm 3 writes a.b.0, Helm 4 '/a/b/0'.
const saidAt = (where) => new RegExp(where.replaceAll(' ', '[./]'));

test('the schema refuses each wrong value', () => {
  for (const version of helms) {
    // One after another would take long: all of one top-level key at most once in a run.
    const runs = [];
    for (const row of WRONG) {
      const overlaps = (run) => run.some(([set]) => set.split('=')[0] === row[0].split('=')[0]);
      const run = runs.find((one) => !overlaps(one));
      if (run) run.push(row);
      else runs.push([row]);
    }
    for (const run of runs) {
      const {ok, err} = template(version, {set: run.map(([set]) => set)});
      assert.ok(!ok);
      for (const [set, where, why] of run) {
        const lines = err.split('\n').filter((line) => saidAt(where).test(line) && why.test(line));
        assert.equal(lines.length, 1, `Helm ${version}: ${set}\n${err}`);
      }
    }
  }
});

// What the schema cannot say is said in words.
const REFUSED = [
  [{set: ['image.tag="latest"']}, /image\.tag: latest is another image tomorrow/],
  [{set: ['shards=2'], kube: '1.27.4'}, /shards: more than 1 needs Kubernetes 1\.28/],
  [{set: ['shards=2', 'persistence.existingClaim="mine"']}, /persistence\.existingClaim: one claim cannot be shared/],
  [{set: ['reachability.enabled=true']}, /reachability\.blackboxAddress: say where blackbox_exporter is/],
  [{set: ['config.targets=[]']}, /config\.targets is empty: name at least one/],
  [{set: ['config.targets=null', 'config.scan={}']}, /config\.targets is empty|targets/],
  [{set: ['extraConfigFiles={"exporter.yml": "x"}']}, /extraConfigFiles: "exporter\.yml" cannot be/],
  [{set: ['extraConfigFiles={"a/b.txt": "x"}']}, /extraConfigFiles: "a\/b\.txt" cannot be/],
  [{set: ['extraEnv=[{"name": "POD_INDEX", "value": "0"}]']}, /extraEnv: POD_INDEX is set by the chart/],
  [{set: ['extraArgs=["--web.external-url=https://a.example"]']}, /extraArgs: --web\.external-url=.* is set by the chart/],
  [{set: ['web.config={"basic_auth_users": {}}', 'web.existingSecret="mine"']}, /web\.config and web\.existingSecret: give one of the two/],
  [{set: ['extraArgs=["--shard.total=2"]']}, /extraArgs: --shard\.total=2 is set by the chart/],
  [{release: '1st'}, /name of a Service .* begins with a letter.*set fullnameOverride/],
  [{set: ['image.registry="https://registry.example.com"']}, /image\.registry: "https:.*" holds a scheme; give a host alone/],
  [{set: ['image.registry="registry.example.com/"']}, /image\.registry: "registry\.example\.com\/" is no registry; give a host/],
  [{set: ['image.repository="tools/exporter:0.1.0"']}, /image\.repository: .* a tag belongs into image\.tag/],
  [{set: ['image.registry=""', 'image.repository="registry.example.com:5000/tools/exporter"']}, /image\.repository: .* a registry into image\.registry/],
  [{set: ['image.repository="/exporter"']}, /image\.repository: "\/exporter" is no repository; give names/],
  [{set: ['podLabels={"team": "-a"}']}, /podLabels: "-a" cannot be the value of the label team; it begins and ends with a letter or digit/],
  [{set: ['commonLabels={"-team": "a"}']}, /commonLabels: "-team" cannot be a label; its name begins/],
  [{kube: '1.24.0'}, /incompatible with Kubernetes/],
];

test('what cannot work is refused in words', () => {
  for (const [options, why] of REFUSED) {
    for (const version of helms) {
      const {ok, err} = template(version, options);
      assert.ok(!ok, stringify(options));
      assert.match(err, why);
    }
  }
});

test('what is unusual and right is taken', () => {
  const set = ['image.registry="[2001:db8::1]:5000/tools"', 'reachability={"enabled": true, "blackboxAddress": "[::1]:9115"}', 'podLabels={"example.com/a_b.c": ""}',
    'persistence.storageClass="-"', 'image.repository="tools/registry__backend-exporter"'];
  for (const version of helms) {
    const {ok, err} = template(version, {set});
    assert.ok(ok, err);
  }
});

// Not an error, but worth a word.
const CLEAN = ['image.registry="r.example.com"', 'existingSecret="tfe"'];
const MONITORED = [...CLEAN, 'serviceMonitor={"enabled": true, "labels": {"release": "x"}}'];
const PROBED = [...CLEAN, 'reachability={"enabled": true, "blackboxAddress": "b:9115"}'];
const OPERATOR = /does not know monitoring\.coreos\.com\/v1/;
const WARNED = [
  [{}, [/image\.registry is empty/, /no credentials for terraform-enterprise/]],
  [{set: ['image.registry="registry.example.com"', 'existingSecret="tfe"']}, []],
  [{set: ['image.registry="r.example.com"', 'config.targets=[{"registry": "images.releases.hashicorp.com", "repository": "a/b"}]']},
    [/images\.releases\.hashicorp\.com has no credentials/]],
  [{values: 'bare'}, [/image\.registry/, /persistence is off/, /cannot be drained/, /does not know monitoring\.coreos\.com\/v1:/, /fires for ever/]],
  [{values: 'full'}, [/does not know monitoring\.coreos\.com\/v1:/, /does not know monitoring\.coreos\.com\/v1alpha1/]],
  [{set: ['image.registry="r.example.com"', 'existingSecret="tfe"', 'web.enableLifecycle=true']}, [/every pod of the cluster may begin scans and drills/]],
  [{set: ['image.registry="r.example.com"', 'config.targets=[{"registry": "quay.io", "basic_auth": {"username": "a", "password": "b"}}]']},
    [/the password of quay\.io is in config/]],
  // What the exporter takes, the notes take too.
  [{set: ['image.registry="r.example.com"', 'config.targets=[{"registry": "quay.io", "repository": "a/b", "basic_auth": null}]']}, []],
  [{set: ['image.registry="r.example.com"', 'existingSecret="tfe"', 'prometheusRule.enabled=true']}, [/does not know/, /RegistryBackendExporterDown fires for ever/]],
  [{values: 'client-certificates', set: ['serviceMonitor.tlsConfig=null', 'web.config.basic_auth_users={"a": "b"}']},
    [/image\.registry/, /does not know/, /serviceMonitor\.labels is empty/, /serviceMonitor\.tlsConfig is empty/, /serviceMonitor\.basicAuth is empty/]],
  [{set: [...MONITORED, 'serviceMonitor.interval="4m"', 'serviceMonitor.scrapeTimeout="4m"']}, [OPERATOR]],
  [{set: [...MONITORED, 'serviceMonitor.interval="5m"']}, [/serviceMonitor\.interval is 5m: .* missing/, OPERATOR]],
  [{set: [...MONITORED, 'serviceMonitor.interval="30s"', 'serviceMonitor.scrapeTimeout="1m"']}, [/scrapeTimeout \(1m\) is longer than its interval \(30s\)/, OPERATOR]],
  [{set: [...MONITORED, 'serviceMonitor.interval=""', 'serviceMonitor.scrapeTimeout="1m"']}, [OPERATOR]],
  [{set: [...PROBED, 'reachability.interval="1h"', 'reachability.scrapeTimeout="3601s"']},
    [/reachability\.interval is 1h/, /reachability\.scrapeTimeout \(3601s\) is longer/, OPERATOR]],
  [{set: [...PROBED, ...MONITORED]}, [OPERATOR, OPERATOR, /reachability\.labels is empty/]],
  [{set: [...PROBED, 'web.config={"tls_server_config": {"cert_file": "a", "key_file": "b"}, "basic_auth_users": {"a": "b"}}']},
    [OPERATOR, /reachability\.tlsConfig is empty/, /reachability\.basicAuth is empty/]],
  [{set: [...PROBED, 'web.existingSecret="web"', 'web.tls=true']}, [OPERATOR, /reachability\.tlsConfig is empty/]],
  [{set: [...CLEAN, 'config.targets=[{"registry": "quay.io", "repository": "a/b", "proxy_url": "http://me:secret@proxy:3128"}]']},
    [/the password of a proxy is in proxy_url of quay\.io.*proxy_password_file/]],
  [{set: [...CLEAN, 'config.targets=[{"registry": "quay.io", "repository": "a/b", "proxy_url": "http://me@proxy:3128"}]']}, []],
  [{set: [...CLEAN, 'extraEnv=[{"name": "HTTPS_PROXY", "value": "http://me:secret@proxy:3128"}]']}, [/a password is in extraEnv, in HTTPS_PROXY/]],
];

test('the notes warn of what is likely a mistake, and of nothing else', () => {
  for (const [options, warnings] of WARNED) {
    const lines = notes(options).split('\n').filter((line) => line.startsWith('WARNING: '));
    assert.equal(lines.length, warnings.length, lines.join('\n'));
    warnings.forEach((warning, i) => assert.match(lines[i], warning));
  }
});

test('the notes say how to look at it', () => {
  const text = notes({values: 'sharded', release: 'x', namespace: 'here'});
  assert.match(text, /kubectl -n here port-forward x-registry-backend-exporter-0 9877\n {2}http:\/\/localhost:9877\//);
  assert.match(text, /helm -n here test x/);
  assert.match(text, /3 instances/);
  assert.doesNotMatch(text, /drill/);
  assert.match(notes({values: 'full'}), /registry_backend_exporter drill --url http:\/\/localhost:9999/);
});
