// Holds documents to the types that programs of TypeScript have for Kubernetes, the Prometheus Operator and Cilium: each is typed
// as a literal, so that a field that there is not is an error; and to their schemas, which know patterns and what is required.
import path from 'node:path';
import ts from 'typescript';
import {here} from './tools.mjs';

const KUBERNETES = {
  v1: ['ConfigMap', 'Pod', 'Secret', 'Service', 'ServiceAccount'],
  'apps/v1': ['StatefulSet'],
  'networking.k8s.io/v1': ['NetworkPolicy'],
  'policy/v1': ['PodDisruptionBudget'],
};
const OPERATOR = {
  'monitoring.coreos.com/v1': ['PrometheusRule', 'ServiceMonitor'],
  'monitoring.coreos.com/v1alpha1': ['ScrapeConfig'],
};

// The module that has the type.
function moduleOf({apiVersion, kind}) {
  if (KUBERNETES[apiVersion]?.includes(kind)) return `kubernetes-models/${apiVersion}/${kind}`;
  if (OPERATOR[apiVersion]?.includes(kind)) return `@kubernetes-models/prometheus-operator/${apiVersion}/${kind}`;
  if (apiVersion === 'cilium.io/v2' && kind === 'CiliumNetworkPolicy') return './cilium';
  return undefined;
}

const nameOf = (one) => `${one.kind}/${one.metadata?.name}`;

const options = {
  module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, noEmit: true, skipLibCheck: true, strict: true,
  target: ts.ScriptTarget.ES2022, types: [],
};

function literalFaults(documents) {
  const sources = new Map(documents.map((one, i) => [path.join(here, `document${i}.ts`), {
    one, text: `import type {I${one.kind}} from '${moduleOf(one)}';\nexport const document: I${one.kind} = ${JSON.stringify(one, null, 1)};\n`,
  }]));
  // They are nowhere on the disk.
  const host = ts.createCompilerHost(options);
  const read = host.readFile.bind(host), exists = host.fileExists.bind(host);
  host.readFile = (name) => sources.get(name)?.text ?? read(name);
  host.fileExists = (name) => sources.has(name) || exists(name);
  host.getSourceFile = (name, version) => {
    const text = host.readFile(name);
    return text === undefined ? undefined : ts.createSourceFile(name, text, version);
  };
  return ts.getPreEmitDiagnostics(ts.createProgram([...sources.keys()], options, host)).map((fault) => {
    const at = sources.get(fault.file?.fileName);
    const line = at?.text.split('\n')[fault.file.getLineAndCharacterOfPosition(fault.start).line].trim();
    return `${at ? nameOf(at.one) : fault.file?.fileName}: ${line}: ${ts.flattenDiagnosticMessageText(fault.messageText, '\n')}`;
  });
}

async function schemaFaults(one) {
  const name = moduleOf(one);
  if (name.startsWith('.')) return [];
  const {[one.kind]: Model} = await import(name);
  try {
    new Model(one).validate();
    return [];
  } catch (error) {
    return [`${nameOf(one)}: ${error.message}`];
  }
}

// What does not fit; of documents that are the same one is looked at.
export async function typeFaults(all) {
  const unknown = all.filter((one) => !moduleOf(one)).map((one) => `${nameOf(one)}: there is no type for ${one.apiVersion} ${one.kind}`);
  const known = [...new Map(all.filter(moduleOf).map((one) => [JSON.stringify(one), one])).values()];
  return [...unknown, ...literalFaults(known), ...(await Promise.all(known.map(schemaFaults))).flat()];
}
