"""Holds what an exporter answers against its OpenAPI document.

    openapi_check.py DOCUMENT BASE_URL REQUEST...

A REQUEST is `METHOD PATH STATUS`, the path with its query. Each must have the status, and the content type and the
schema that the document gives for it. Prints what does not fit and exits 1. Every path of the document must have been
asked for.
"""
import http.client
import json
import sys
from urllib.parse import urlsplit

import jsonschema
import yaml


def main():
    path, base, requests = sys.argv[1], sys.argv[2], [text.split() for text in sys.argv[3:]]
    with open(path, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    faults = []
    asked = set()
    for method, target, status in requests:
        operation = (target.split("?")[0], method.lower())
        asked.add(operation)
        faults += [f"{method} {target}: {fault}" for fault in check(document, base, operation, target, int(status))]
    documented = {(path, method) for path, item in document["paths"].items() for method in item}
    faults += [f"{method.upper()} {path} was not tried" for path, method in sorted(documented - asked)]
    print("\n".join(faults))
    return 1 if faults else 0


def check(document, base, operation, target, status):
    path, method = operation
    described = document["paths"].get(path, {}).get(method)
    if described is None:
        return ["not in the document"]
    host = http.client.HTTPConnection(urlsplit(base).netloc, timeout=20)
    host.request(method.upper(), target)
    answer = host.getresponse()
    body = answer.read().decode()
    if answer.status != status:
        return [f"status {answer.status}, expected {status}: {body}"]
    response = described["responses"].get(str(status))
    if response is None:
        return [f"status {status} is not in the document"]
    response = resolve(document, response)
    kind = answer.headers["Content-Type"].split(";")[0]
    if kind not in response["content"]:
        return [f"content type {kind} is not in the document"]
    if kind != "application/json":
        return []
    schema = {**response["content"][kind]["schema"], "components": document["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(json.loads(body))]


def resolve(document, item):
    if "$ref" not in item:
        return item
    for key in item["$ref"].removeprefix("#/").split("/"):
        document = document[key]
    return document


sys.exit(main())
