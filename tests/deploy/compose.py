#!/usr/bin/env python3
"""Reads deploy/compose as docker-compose resolves it (YAML on standard input).

  compose.py check            what every service must have; prints what is wrong
  compose.py run SERVICE …    the arguments of `podman run` for a service, each ended by a NUL
  compose.py same A B FROM=TO…   whether file B is file A with these texts replaced, as YAML
"""
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


# Compose keeps a doubled `$` for itself.
def words(value):
    return [word.replace("$$", "$") for word in value or []]


def arguments(service):
    yield from (f"--env={key}={value}" for key, value in service.get("environment", {}).items())
    yield from (f"--volume={volume}" for volume in service.get("volumes", []))
    yield from (f"--tmpfs={path}" for path in service.get("tmpfs", []))
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
        return "\n".join(problems(services)) or 0
    sys.stdout.write("".join(f"{argument}\0" for argument in arguments(services[rest[0]])))
    return 0


sys.exit(main())
