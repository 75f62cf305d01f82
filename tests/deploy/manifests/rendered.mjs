// What the manifests and the chart come to.
import {existsSync, readFileSync, readdirSync} from 'node:fs';
import path from 'node:path';
import {parse, parseAllDocuments} from 'yaml';
import {helm, here, kubectl, root} from './tools.mjs';

export const kubernetes = path.join(root, 'deploy/kubernetes');
export const chart = path.join(root, 'deploy/helm/registry-backend-exporter');

export const readText = (...parts) => readFileSync(path.join(...parts), 'utf8');
// Lists share their items by anchors nowhere, and what looks like a number in YAML 1.1 alone is one for Kubernetes.
export const readYaml = (...parts) => parse(readText(...parts), {version: '1.1'});

function documents(text) {
  return parseAllDocuments(text, {version: '1.1'}).map((document) => {
    if (document.errors.length) throw document.errors[0];
    return document.toJS();
  }).filter((document) => document !== null);
}

const subfolders = (folder) => readdirSync(folder).sort().filter((name) => existsSync(path.join(folder, name, 'kustomization.yaml')));
export const components = subfolders(path.join(kubernetes, 'components'));
export const examples = subfolders(path.join(kubernetes, 'examples'));

// What `kubectl kustomize` says of a folder, for good or ill.
export const kustomize = (folder, version = 'v35') => kubectl(version, 'kustomize', folder);

// Of a folder with a kustomization.
export function kustomized(folder, version) {
  const {ok, out, err} = kustomize(folder, version);
  if (!ok) throw new Error(err);
  return documents(out);
}

export const valueSets = readdirSync(path.join(here, 'values')).sort().map((file) => file.replace('.yaml', ''));

const arguments_ = ({values, file, set = [], release = 'watch', namespace = 'monitoring', folder = chart}) => [
  release, folder, '--namespace', namespace, ...(file ? ['--values', file] : []),
  ...(values ? ['--values', path.join(here, 'values', `${values}.yaml`)] : []), ...set.flatMap((one) => ['--set-json', one]),
];

// What `helm template` says, for good or ill.
export const template = (version, options = {}) => helm(version, 'template', '--kube-version', options.kube ?? '1.35.0', ...arguments_(options));

export function templated(version, options = {}) {
  const {ok, out, err} = template(version, options);
  if (!ok) throw new Error(err);
  return documents(out);
}

// Of Helm 4 only: Helm 3 wants a cluster for it.
export function notes(options = {}) {
  const {ok, out, err} = helm(4, 'install', '--dry-run=client', ...arguments_(options));
  if (!ok) throw new Error(err);
  return out.slice(out.indexOf('NOTES:'));
}

export const ofKind = (all, kind) => all.filter((one) => one.kind === kind);
export function only(all, kind) {
  const found = ofKind(all, kind);
  if (found.length !== 1) throw new Error(`${found.length} of ${kind}`);
  return found[0];
}

// The pods that a document makes, or is.
export function podSpecs(all) {
  return all.flatMap((one) => {
    const spec = one.kind === 'Pod' ? one.spec : one.spec?.template?.spec;
    return spec?.containers ? [{name: `${one.kind}/${one.metadata.name}`, spec}] : [];
  });
}
