# shellcheck shell=bash
# deploy/compose without an engine: its services run as the file says, in podman, all on one loopback. Prometheus, Alertmanager
# and blackbox_exporter are Debian's in place of their images; Grafana, which Debian has not, is not run. Sourced by
# scripts/test.

# As Debian's docker-compose, an old one, understands the file. It needs no engine for that, but knows no `name`, and no
# folder that is not to be made.
resolve() {
  (cd deploy/compose && sed '/^name:/d; /^ *bind:$/d; /create_host_path:/d' compose.yml | env "$@" docker-compose --file - config) \
    >"$work/compose.yml"
}

has_no_latest() { ! grep -rnE 'image:.*(:latest|[^:]*[a-z])"?$' deploy --include='*.y*ml'; }

same() { tests/deploy/compose.py same "$@"; }

configurations_are_right() {
  amtool check-config deploy/compose/alertmanager/quiet.yml && amtool check-config deploy/compose/alertmanager/slack.yml
}

# Runs a service of the file; what it mounts from the repository may be replaced, as `FILE=OTHER`.
run_service() {
  local service=$1 image=$2 replacement arguments options=() rest=()
  shift 2
  mapfile -d '' arguments < <(tests/deploy/compose.py run "$service" <"$work/compose.yml")
  while [ "${arguments[0]}" != -- ]; do
    options+=("${arguments[0]}")
    arguments=("${arguments[@]:1}")
  done
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    replacement=$1
    options=("${options[@]/"$PWD/${replacement%%=*}:"/"${replacement#*=}:"}")
    shift
  done
  [ $# -eq 0 ] || rest=("${@:2}")
  run_container "compose-$service" --volume "$work/hosts:/etc/hosts:ro" "${rest[@]}" "${options[@]}" "$image" "${arguments[@]:1}"
}

# A server of Debian's in the place of an image: under the name it has there, and as nobody, as there.
stand_in() {
  local service=$1 program=$2 name=$3
  shift 3
  mkdir -p "$work/volumes/$service"
  chown 65534:65534 "$work/volumes/$service"
  sed -i "s#^    - $service:#    - $work/volumes/$service:#" "$work/compose.yml"
  local entrypoint=()
  tests/deploy/compose.py run "$service" <"$work/compose.yml" | grep -z '^--entrypoint=' >/dev/null || entrypoint=(--entrypoint "/bin/$name")
  run_service "$service" localhost/debian-bookworm:test "$@" -- --user 65534:65534 \
    --volume "$program:/bin/$name:ro" --volume /usr/share/prometheus:/usr/share/prometheus:ro "${entrypoint[@]}"
}

query() { get --data-urlencode "query=$1" http://127.0.0.1:9090/api/v1/query | jq -e '.data.result | length > 0'; }

alerts() {
  get http://127.0.0.1:9093/api/v2/alerts |
    jq -e --arg host "$1" '.[] | select(.labels.alertname == "RegistryBackendEndpointAdded" and .labels.backend_host == $host)'
}

move_blobs() {
  get --request POST --data '{"backend": "moved.s3.eu-west-1.amazonaws.com"}' http://127.0.0.1:5000/-/control &&
    within 10 get --request POST http://127.0.0.1:9877/-/scan
}

watches() { get http://127.0.0.1:9877/config | grep "$1" >/dev/null; }

run_demo() {
  # All are on one loopback: each is found by its name.
  echo "127.0.0.1 localhost exporter registry prometheus alertmanager blackbox" >"$work/hosts"
  mkdir "$work/secrets"
  echo http://127.0.0.1:5002/ >"$work/secrets/slack_url"
  # Sooner than in production.
  sed 's/: 1m$/: 2s/' deploy/compose/prometheus.yml >"$work/prometheus.yml"
  sed 's/group_wait: 30s/group_wait: 1s/' deploy/compose/alertmanager/slack.yml >"$work/slack.yml"
  sed -i "s#^    - exporter:#    - compose-state:#" "$work/compose.yml"
  start "$work/slack.log" nsenter --net="$network" tests/deploy/slack.py 5002 "$work/messages"

  check "registry of Compose's file" run_service registry $demo_image
  check "exporter of Compose's file" run_service exporter $exporter_image
  check "Alertmanager of Compose's file" stand_in alertmanager /usr/bin/prometheus-alertmanager alertmanager \
    "deploy/compose/secrets=$work/secrets" "deploy/compose/alertmanager/slack.yml=$work/slack.yml"
  check "blackbox_exporter of Compose's file" stand_in blackbox /usr/bin/prometheus-blackbox-exporter blackbox_exporter
  check "Prometheus of Compose's file" stand_in prometheus /usr/bin/prometheus prometheus \
    "deploy/compose/prometheus.yml=$work/prometheus.yml"
  check "the exporter is healthy" within 30 healthy compose-exporter
  check "the demonstration is scanned" within 30 scanned demo
  check "Prometheus scrapes it" within 30 query 'registry_backend_endpoint_present{job="registry-backend-exporter", serves="blobs"} == 1'
  check "blackbox_exporter is asked about its hosts" within 30 query \
    'probe_duration_seconds{job="registry-backend-reachability", backend_host="deeper-layers.s3.us-west-2.amazonaws.com"}'
  check "the registry moves its blobs" quietly move_blobs
  check "Alertmanager has the alert" within 60 alerts moved.s3.eu-west-1.amazonaws.com
  check "the chat has the message" within 60 grep -q 'EndpointAdded.*moved.s3.eu-west-1.amazonaws.com' "$work/messages"
}

# Where a password is given the simulated registry is not what is watched.
watches_what_the_password_is_for() {
  podman rm --force --time 5 compose-exporter >/dev/null
  resolve REGISTRY_PASSWORD=none-such || return
  sed -i "s#^    - exporter:#    - compose-state:#" "$work/compose.yml"
  run_service exporter "$exporter_image" && within 30 watches images.releases.hashicorp.com
}

test_compose() {
  check "Compose's file is valid" quietly resolve
  check "Compose's services are pinned and narrow" tests/deploy/compose.py check deploy/compose/compose.yml <"$work/compose.yml"
  check "no image is the latest" has_no_latest
  check "Compose's Prometheus is the one that is shipped" same deploy/prometheus/prometheus.yml deploy/compose/prometheus.yml \
    ../../alerts/=/etc/prometheus/ localhost:9093=alertmanager:9093 localhost:9877=exporter:9877 localhost:9115=blackbox:9115
  check "Compose's data source is the one that is shipped" same dashboards/provisioning/datasources/prometheus.yml \
    deploy/compose/grafana/datasources.yml localhost=prometheus
  check "Compose's Alertmanager accepts its configurations" quietly configurations_are_right
  podman image exists $exporter_image && podman image exists $demo_image || return 0
  podman rm --force --time 5 simulator >/dev/null 2>&1 || true
  run_demo
  check "with a password Compose watches the default target" watches_what_the_password_is_for
}
