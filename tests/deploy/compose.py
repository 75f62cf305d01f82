#!/usr/bin/env python3
"""Reads deploy/compose as docker-compose resolves it (YAML on standard input).

  compose.py check FILE       what every service must have, in FILE as it is written, too; prints what is wrong
  compose.py run SERVICE …    the arguments of `podman run` for a service, each ended by a NUL
  compose.py same A B FROM=TO…   whether file B is file A with these texts replaced, as YAML
"""
import json
import sys

import yaml


def problems(services):
    for name, service in services.items():
        _, _, version = service["image"].rpartition("/")[2].partition(":")
        if not version or version == "latest":
            yield f"{name}: the version of {service['image']} is not pinned"
        if not service.get("read_only"):
            yield f"{name}: its root can be written"
        if service.get("cap_drop") != ["ALL"]:
            yield f"{name}: it keeps capabilities"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: it may gain privileges"
        for port in service.get("ports", []):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name}: port {port} is open to everybody"
        if not service.get("healthcheck", {}).get("test"):
            yield f"{name}: nothing checks its health"


# What docker-compose 1.29 does not know is looked for in the file as it is written.
def problems_as_written(path):
    with open(path, encoding="utf-8") as file:
        services = yaml.safe_load(file)["services"]
    for name, service in services.items():
        for volume in service.get("volumes", []):
            # A file that a user names; each of the others is in the repository.
            users = "${" in (volume if isinstance(volume, str) else volume["source"])
            if users and (isinstance(volume, str) or volume.get("bind", {}).get("create_host_path") is not False):
                yield f"{name}: a file that is not there becomes a folder: {volume}"


# Compose keeps a doubled `$` for itself.
def words(value):
    return [word.replace("$$", "$") for word in value or []]


def mount(volume):
    if isinstance(volume, str):
        return volume
    return f"{volume['source']}:{volume['target']}:{'ro' if volume.get('read_only') else 'rw'}"


def arguments(service):
    yield from (f"--env={key}={value}" for key, value in service.get("environment", {}).items())
    yield from (f"--volume={mount(volume)}" for volume in service.get("volumes", []))
    yield from (f"--tmpfs={path}" for path in service.get("tmpfs", []))
    if "healthcheck" in service:
        # Podman puts the word CMD before a list by itself.
        yield f"--health-cmd={json.dumps(words(service['healthcheck']['test'])[1:])}"
    entrypoint = words(service.get("entrypoint"))
    if entrypoint:
        yield f"--entrypoint={entrypoint[0]}"
    yield "--"
    yield from entrypoint[1:] + words(service.get("command"))


def same(original, copy, replacements):
    with open(original, encoding="utf-8") as file:
        text = file.read()
    for replacement in replacements:
        before, _, after = replacement.partition("=")
        text = text.replace(before, after)
    with open(copy, encoding="utf-8") as file:
        return yaml.safe_load(file) == yaml.safe_load(text)


def main():
    command, *rest = sys.argv[1:]
    if command == "same":
        return 0 if same(rest[0], rest[1], rest[2:]) else f"{rest[1]} is not {rest[0]}"
    services = yaml.safe_load(sys.stdin)["services"]
    if command == "check":
        return "\n".join([*problems(services), *problems_as_written(rest[0])]) or 0
    sys.stdout.write("".join(f"{argument}\0" for argument in arguments(services[rest[0]])))
    return 0


sys.exit(main())
