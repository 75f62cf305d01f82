// Types dashboards against Grafana's schema, as TypeScript would if each were written in a program:
//
//   node check.mjs DASHBOARD.json…
//
// Prints what does not fit and exits 1. A key that the schema does not know does not fit.
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import ts from 'typescript';

const here = path.dirname(fileURLToPath(import.meta.url));
const options = {
  module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, noEmit: true, skipLibCheck: true,
  strict: true, target: ts.ScriptTarget.ES2022, types: [],
};

// Each dashboard is a program's file beside board.ts, which is nowhere on the disk.
const sources = new Map(process.argv.slice(2).map((file, i) => {
  const json = readFileSync(file, 'utf8');
  return [path.join(here, `dashboard${i}.ts`), {file, text: `import type {Board} from './board';\nconst board: Board = ${json};\n`}];
}));
const host = ts.createCompilerHost(options);
const read = host.readFile.bind(host), exists = host.fileExists.bind(host);
host.readFile = (name) => sources.get(name)?.text ?? read(name);
host.fileExists = (name) => sources.has(name) || exists(name);
host.getSourceFile = (name, version) => {
  const text = host.readFile(name);
  return text === undefined ? undefined : ts.createSourceFile(name, text, version);
};

const program = ts.createProgram([...sources.keys()], options, host);
const faults = ts.getPreEmitDiagnostics(program);
for (const fault of faults) {
  const source = fault.file && sources.get(fault.file.fileName);
  const line = fault.file ? fault.file.getLineAndCharacterOfPosition(fault.start).line : 0;
  // The line of the dashboard: the import stands before it.
  console.log(`${source?.file ?? fault.file?.fileName}:${source ? line : line + 1}: ${ts.flattenDiagnosticMessageText(fault.messageText, '\n')}`);
}
process.exit(faults.length || !sources.size ? 1 : 0);
