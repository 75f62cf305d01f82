// What the exporter itself says of a rendered configuration and of the arguments of a rendered pod.
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {ofKind} from './rendered.mjs';
import {exporter} from './tools.mjs';

const ETC = '/etc/registry-backend-exporter';

function inScratch(use) {
  const scratch = mkdtempSync(path.join(tmpdir(), 'exporter-'));
  try {
    return use(scratch);
  } finally {
    rmSync(scratch, {recursive: true});
  }
}

const faultsOf = ({ok, out, err}) => (ok && !err.includes('level=warn') ? [] : [out + err]);

export const configFaults = (text) => inScratch((scratch) => {
  writeFileSync(path.join(scratch, 'exporter.yml'), text);
  return faultsOf(exporter('--config.check', `--config.file=${scratch}/exporter.yml`));
});

function makeCertificate(folder) {
  mkdirSync(folder, {recursive: true});
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=exporter',
    '-keyout', 'tls.key', '-out', 'tls.crt'], {cwd: folder, stdio: 'ignore'});
  execFileSync('cp', ['tls.crt', 'ca.crt'], {cwd: folder});
}

// Puts what a volume of the pod holds below `home`; what is not among the documents is somebody else's.
function mount(home, documents, volume, at) {
  const folder = path.join(home, at);
  mkdirSync(folder, {recursive: true});
  const {configMap, secret} = volume;
  const map = configMap && ofKind(documents, 'ConfigMap').find(({metadata}) => metadata.name === configMap.name);
  const data = map?.data ?? (secret && ofKind(documents, 'Secret').find(({metadata}) => metadata.name === secret.secretName))?.stringData ?? {};
  for (const [name, text] of Object.entries(data)) writeFileSync(path.join(folder, name), text.replaceAll(`${ETC}/`, `${home}${ETC}/`));
  return Object.keys(data);
}

// Runs each exporter of the documents with --config.check, as each of its shards, and says what it refuses.
export function podFaults(documents) {
  return ofKind(documents, 'StatefulSet').flatMap(({spec: {replicas, template: {spec}}}) => inScratch((home) => {
    const [container] = spec.containers;
    for (const volume of spec.volumes) {
      const {mountPath} = container.volumeMounts.find(({name}) => name === volume.name);
      if (mountPath.startsWith(`${ETC}/tls`)) makeCertificate(path.join(home, mountPath));
      else mount(home, documents, volume, mountPath);
    }
    // A ConfigMap and a Secret that are there already are not rendered.
    const known = new Set([...ofKind(documents, 'ConfigMap'), ...ofKind(documents, 'Secret')].map(({metadata}) => metadata.name));
    const foreign = (name) => spec.volumes.some((volume) => volume.name === name && !known.has(volume.configMap?.name ?? volume.secret?.secretName));
    if (foreign('config')) writeFileSync(path.join(home, ETC, 'config/exporter.yml'), 'targets: [{registry: quay.io, repository: a/b}]\n');
    if (foreign('web')) writeFileSync(path.join(home, ETC, 'web/web.yml'), 'basic_auth_users: {}\n');
    return Array.from({length: replicas}, (_, index) => container.args.map((argument) =>
      argument.replaceAll(/\/(etc|var\/lib)\/registry-backend-exporter/g, (found) => home + found).replaceAll('$(POD_INDEX)', index)))
      .flatMap((args) => faultsOf(exporter(...args, '--config.check')));
  }));
}
