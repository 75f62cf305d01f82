"""Finds the hosts of a repository's blobs with python3-requests, one request after the other.

  requests_loop.py https://REGISTRY REPOSITORY CA_FILE [--once] [--pause SECONDS]

Each layer of each tag is asked for by HEAD, then by GET of its first byte, then there is a pause.
With --once each blob is asked for once, by GET alone.
"""

import argparse
import collections
import time
import urllib.parse

import requests

ACCEPT = ", ".join([
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("registry")
    parser.add_argument("repository")
    parser.add_argument("ca_file")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--pause", type=float, default=0)
    options = parser.parse_args()

    session = requests.Session()
    session.verify = options.ca_file
    session.trust_env = False
    base = f"{options.registry}/v2/{options.repository}"

    def ask(method, path, **headers):
        answer = session.request(method, base + path, headers=headers, allow_redirects=False,
                                 timeout=30)
        answer.raise_for_status()
        return answer

    seen = set()
    hosts = collections.Counter()
    for tag in ask("GET", "/tags/list").json()["tags"]:
        manifest = ask("GET", f"/manifests/{tag}", accept=ACCEPT).json()
        for blob in [manifest["config"], *manifest["layers"]]:
            digest = blob["digest"]
            if options.once and digest in seen:
                continue
            seen.add(digest)
            if not options.once:
                ask("HEAD", f"/blobs/{digest}")
            answer = ask("GET", f"/blobs/{digest}", range="bytes=0-0")
            hosts[urllib.parse.urlsplit(answer.headers["location"]).netloc] += 1
            time.sleep(options.pause)
    print(len(seen), dict(hosts))


main()
