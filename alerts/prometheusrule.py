#!/usr/bin/env python3
"""Prints a file of rules as a PrometheusRule, for the Prometheus Operator: registry-backend.rules.yml, or the one that is named.

After an edit of the rules:
  alerts/prometheusrule.py >deploy/kubernetes/components/prometheus-operator/prometheusrule.yaml
  alerts/prometheusrule.py registry-backend-shards.rules.yml >deploy/kubernetes/components/shards-alert/prometheusrule.yaml
"""
import pathlib
import sys

import yaml

HEADER = """\
# Made by alerts/prometheusrule.py of alerts/{file}, which says why the rules are as they are. Do not
# edit: a test holds the two equal.
"""


class Dumper(yaml.SafeDumper):
    """Writes what has several lines as such, and nothing by reference."""

    def ignore_aliases(self, data):
        return True


def represent_text(dumper, text):
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, represent_text)

file = sys.argv[1] if len(sys.argv) > 1 else "registry-backend.rules.yml"
rules = yaml.safe_load((pathlib.Path(__file__).parent / file).read_text(encoding="utf-8"))
resource = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PrometheusRule",
    "metadata": {
        "name": file.removesuffix(".rules.yml").replace("registry-backend", "registry-backend-exporter"),
        "labels": {"app.kubernetes.io/name": "registry-backend-exporter"},
    },
    "spec": {"groups": rules["groups"]},
}
sys.stdout.write(HEADER.format(file=file))
yaml.dump(resource, sys.stdout, Dumper=Dumper, sort_keys=False, width=110, allow_unicode=True)
