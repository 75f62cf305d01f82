// What the exporter itself makes of a rendered configuration and of the arguments of a rendered pod.
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {ofKind, only} from './rendered.mjs';
import {exporter} from './tools.mjs';

const ETC = '/etc/registry-backend-exporter';

// Stand for a ConfigMap and a Secret that are there already and not rendered.
const FOREIGN = {config: {'exporter.yml': 'targets: [{registry: quay.io, repository: a/b}]\n'}, web: {'web.yml': 'basic_auth_users: {}\n'}};

async function inScratch(use) {
  const scratch = mkdtempSync(path.join(tmpdir(), 'exporter-'));
  try {
    return await use(scratch);
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
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=exporter',
    '-keyout', 'tls.key', '-out', 'tls.crt'], {cwd: folder, stdio: 'ignore'});
  execFileSync('cp', ['tls.crt', 'ca.crt'], {cwd: folder});
}

// What a kubelet would put into a volume, name to text.
function filesOf({name, configMap, secret}, documents) {
  const source = configMap ? ofKind(documents, 'ConfigMap').find(({metadata}) => metadata.name === configMap.name)
    : secret && ofKind(documents, 'Secret').find(({metadata}) => metadata.name === secret.secretName);
  if (!source) return FOREIGN[name] ?? {};
  const decoded = Object.entries(source.kind === 'Secret' ? source.data ?? {} : {}).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]);
  return {...(source.kind === 'ConfigMap' ? source.data : source.stringData), ...Object.fromEntries(decoded)};
}

// As Kubernetes gives them to one of the pods, with the variables of its environment put in.
export function argumentsOf({args, env = []}, index = 0) {
  const valueOf = ({name, value}) => (name === 'POD_INDEX' ? index : value);
  return env.reduce((texts, variable) => texts.map((text) => text.replaceAll(`$(${variable.name})`, valueOf(variable))), args);
}

// Has the volumes of the documents' pod below a folder, and tells `use` the arguments of each of its replicas there.
export const withPod = (documents, use) => inScratch((home) => {
  const {replicas, template: {spec}} = only(documents, 'StatefulSet').spec;
  const [container] = spec.containers;
  const here = (text) => text.replaceAll(/\/(etc|var\/lib)\/registry-backend-exporter/g, (found) => home + found);
  for (const volume of spec.volumes) {
    const {mountPath} = container.volumeMounts.find(({name}) => name === volume.name);
    const folder = path.join(home, mountPath);
    mkdirSync(folder, {recursive: true});
    if (mountPath === `${ETC}/tls`) makeCertificate(folder);
    for (const [name, text] of Object.entries(filesOf(volume, documents))) writeFileSync(path.join(folder, name), here(text));
  }
  return use(Array.from({length: replicas}, (_, index) => argumentsOf(container, index).map(here)));
});

// What the exporter refuses of the documents' pod, as each of its replicas.
export const podFaults = (documents) => withPod(documents, (replicas) => replicas.flatMap((args) => faultsOf(exporter(...args, '--config.check'))));
