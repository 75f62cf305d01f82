"""Packaged OpenStack Swift with its S3 API, all four servers in one process.

    swift_server.py DIRECTORY MEMCACHED USER SECRET REGION DOMAIN

swift-proxy-server and its kin would be four processes, after nine runs of swift-ring-builder, and
each of these loads Swift anew. They do no more than what is done here: read a configuration, serve
its pipeline.

DIRECTORY (absolute) gets all files. MEMCACHED is host:port of where tempauth keeps its tokens. USER
is account:name. DOMAIN is what buckets may be named in front of; it may be empty. The first line of
the output is the port of the proxy server, said once it listens. A line for each answer follows:
host, method, path, status, user agent.
"""
import os
import sys

# All names are addresses here, and what is written need not survive the machine: both save time.
os.environ["EVENTLET_NO_GREENDNS"] = "yes"
os.fsync = os.fdatasync = lambda file: None

import eventlet  # noqa: E402

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402

SWIFT_CONF = """
[swift-hash]
swift_hash_path_suffix = test
[storage-policy:0]
name = only
default = yes
"""

STORAGE_CONF = """
[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
disable_fallocate = true
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
recon_cache_path = {directory}
"""

PROXY_CONF = """
[DEFAULT]
swift_dir = {directory}
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk tempurl s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = {memcached}
[filter:s3api]
use = egg:swift#s3api
location = {region}
storage_domain = {domain}
[filter:tempauth]
use = egg:swift#tempauth
user_{user} = {secret} .admin
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def save_ring(directory, kind, port):
    builder = RingBuilder(part_power=2, replicas=1, min_part_hours=1)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "device": "d1",
                     "ip": "127.0.0.1", "port": port,
                     "replication_ip": "127.0.0.1", "replication_port": port})
    builder.rebalance()
    builder.get_ring().save(os.path.join(directory, kind + ".ring.gz"))


def logged(app):
    """Prints the lines. Swift's own access log needs a syslog server."""
    def answer(env, start_response):
        def start(status, *rest):
            print(env.get("HTTP_HOST", "-"), env["REQUEST_METHOD"], env["PATH_INFO"],
                  status.split()[0], env.get("HTTP_USER_AGENT", "-"), flush=True)
            return start_response(status, *rest)
        return app(env, start)
    return answer


def serve(listener, app):
    # S3 clients want "ETag", which eventlet would write "Etag".
    wsgi.server(listener, app, log_output=False, protocol=SwiftHttpProtocol,
                capitalize_response_headers=False)


def main(directory, memcached, user, secret, region, domain):
    os.makedirs(os.path.join(directory, "devices", "d1"))
    write(directory, "swift.conf", SWIFT_CONF)
    utils.set_swift_dir(directory)
    for kind in ("account", "container", "object"):
        listener = eventlet.listen(("127.0.0.1", 0))
        save_ring(directory, kind, listener.getsockname()[1])
        conf = STORAGE_CONF.format(kind=kind, directory=directory)
        eventlet.spawn(serve, listener, loadapp(write(directory, kind + ".conf", conf)))
    conf = PROXY_CONF.format(directory=directory, memcached=memcached, secret=secret,
                             user=user.replace(":", "_"), region=region, domain=domain)
    app = loadapp(write(directory, "proxy.conf", conf))
    listener = eventlet.listen(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    serve(listener, logged(app))


main(*sys.argv[1:])
