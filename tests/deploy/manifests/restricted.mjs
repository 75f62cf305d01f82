// The Pod Security Standard `restricted`, field by field, and what else is asked of pods here.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
import assert from 'node:assert/strict';

const VOLUMES = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'];

const DEFINED = ['hostNetwork', 'hostPID', 'hostIPC', 'hostUsers'];

function check(faults, what, holds) {
  if (!holds) faults.push(what);
}

function containerFaults(container) {
  const faults = [];
  const context = container.securityContext ?? {};
  const say = (what, holds) => check(faults, `${container.name}: ${what}`, holds);
  say('allowPrivilegeEscalation has to be false', context.allowPrivilegeEscalation === false);
  say('capabilities.drop has to be [ALL]', JSON.stringify(context.capabilities?.drop) === '["ALL"]');
  say('capabilities.add has to be empty', !context.capabilities?.add?.length);
  say('privileged', !context.privileged);
  say('readOnlyRootFilesystem has to be true', context.readOnlyRootFilesystem === true);
  say('runAsNonRoot may not be false', context.runAsNonRoot !== false);
  say('runAsUser may not be 0', context.runAsUser !== 0);
  say('procMount', context.procMount === undefined);
  say('seccompProfile', ['RuntimeDefault', 'Localhost', undefined].includes(context.seccompProfile?.type));
  say('hostPort', (container.ports ?? []).every((port) => !port.hostPort));
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) say(`${probe} names a host`, !container[probe]?.httpGet?.host);
  say('requests of memory and CPU', container.resources?.requests?.memory && container.resources?.requests?.cpu);
  say('a limit of memory', container.resources?.limits?.memory);
  return faults;
}

// Why a pod would not be let in where `restricted` is enforced, or is less careful than it could be.
export function restrictedFaults(spec) {
  const faults = [];
  const context = spec.securityContext ?? {};
  check(faults, 'runAsNonRoot has to be true', context.runAsNonRoot === true);
  check(faults, 'runAsUser has to be a number other than 0', Number.isInteger(context.runAsUser) && context.runAsUser > 0);
  check(faults, 'seccompProfile has to be RuntimeDefault', context.seccompProfile?.type === 'RuntimeDefault');
  check(faults, 'sysctls', !context.sysctls?.length);
  for (const name of DEFINED) check(faults, name, spec[name] === undefined);
  for (const volume of spec.volumes ?? []) {
    const [kind, ...others] = Object.keys(volume).filter((key) => key !== 'name');
    check(faults, `volume ${volume.name}: ${kind}`, VOLUMES.includes(kind) && others.length === 0);
  }
  check(faults, 'automountServiceAccountToken has to be false', spec.automountServiceAccountToken === false);
  check(faults, 'enableServiceLinks has to be false', spec.enableServiceLinks === false);
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  assert.equal(spec.ephemeralContainers, undefined);
  return [...faults, ...containers.flatMap(containerFaults)];
}

// Of an image's name: a version or a digest, and not one that moves.
export function imageFault(image) {
  if (/@sha256:[0-9a-f]{64}$/.test(image)) return undefined;
  const tag = /:([\w][\w.-]*)$/.exec(image)?.[1];
  if (!tag) return `${image} has no tag`;
  return /^v?\d+\.\d+/.test(tag) ? undefined : `${image} is no version`;
}
