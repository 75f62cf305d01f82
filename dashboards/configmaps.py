#!/usr/bin/env python3
"""Prints dashboards/*.json as ConfigMaps, for the sidecar of Grafana's Helm chart and of kube-prometheus-stack.

After an edit of a dashboard:
  dashboards/configmaps.py >deploy/kubernetes/components/grafana/dashboards.yaml
"""
import pathlib
import sys

HEADER = """\
# Made by dashboards/configmaps.py of dashboards/*.json. Do not edit: a test holds the two equal. The sidecar finds them by the
# label grafana_dashboard.
"""
CONFIG_MAP = """\
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: registry-backend-exporter-{name}
  labels:
    app.kubernetes.io/name: registry-backend-exporter
    grafana_dashboard: "1"
  annotations:
    grafana_folder: Registry backends
data:
  {file}: |
"""

sys.stdout.reconfigure(encoding="utf-8")
sys.stdout.write(HEADER)
for dashboard in sorted(pathlib.Path(__file__).parent.glob("*.json")):
    sys.stdout.write(CONFIG_MAP.format(name=dashboard.stem, file=dashboard.name))
    for line in dashboard.read_text(encoding="utf-8").splitlines():
        sys.stdout.write(f"    {line}\n")
