#!/usr/bin/env python3
"""Prints the README of the Helm chart: its values, out of the comments in values.yaml.

After an edit of values.yaml:
  deploy/helm/readme.py >deploy/helm/registry-backend-exporter/README.md
"""
import json
import pathlib
import re
import sys

import yaml

CHART = pathlib.Path(__file__).parent / "registry-backend-exporter"
HEADER = """\
<!-- Made by deploy/helm/readme.py of values.yaml. Do not edit: a test holds the two equal. -->
# Helm chart registry-backend-exporter

{description}. What the exporter is: [README](../../../README.md); how to install the chart, upgrade it and size it:
[docs/howto/helm.md](../../../docs/howto/helm.md).

    helm install registry-backend-exporter deploy/helm/registry-backend-exporter --namespace registry-backend \\
      --set image.registry=registry.example.com/tools --set existingSecret=terraform-enterprise

Kubernetes {kubernetes}, Helm 3 or 4. A value that the chart does not know, or that cannot be, is refused by name
(`values.schema.json`).
"""
KEY = re.compile(r"^( *)([A-Za-z]\w*):(?: |$)")


def value_of(values, path):
    for key in path:
        values = values[key]
    return values


def shown(value):
    """As it would be written, on one line."""
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= 60 else "see `values.yaml`"


def described(text, values):
    """(heading, None) and (path, comment), in order; a key without a comment must hold keys that have one."""
    path, comment, covered = [], [], None
    for line in text.splitlines():
        if line.startswith("## "):
            yield line[3:], None
        stripped = line.strip()
        if stripped.startswith("# "):
            # Comments of what is commented already are for those who read the file.
            comment.append(stripped[2:])
        match = KEY.match(line)
        if not match:
            if not stripped:
                comment = []
            continue
        depth = len(match[1]) // 2
        path = path[:depth] + [match[2]]
        if covered and path[: len(covered)] != covered:
            covered = None
        if covered:
            comment = []
            continue
        if comment:
            covered = list(path)
            yield list(path), " ".join(comment)
        elif not isinstance(value_of(values, path), dict):
            sys.exit(f"values.yaml: {'.'.join(path)} has no description")
        comment = []


def main():
    sys.stdout.reconfigure(encoding="utf-8")
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    kubernetes = re.sub(r"^>=(\d+\.\d+).*", r"\1 and newer", chart["kubeVersion"])
    sys.stdout.write(HEADER.format(description=chart["description"], kubernetes=kubernetes))
    for path, comment in described(text, values):
        if comment is None:
            sys.stdout.write(f"\n## {path}\n\n| value | default | |\n|---|---|---|\n")
        else:
            cell = comment.replace("|", "\\|")
            sys.stdout.write(f"| `{'.'.join(path)}` | {shown(value_of(values, path))} | {cell} |\n")


main()
