# shellcheck shell=bash
# The container image: built as a user would, run as narrowly as it may be, pushed, scanned. Sourced by scripts/test.

exporter_image=localhost/registry-backend-exporter:test
demo_image=localhost/registry-backend-demo:test
revision=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# Everything that a container may be denied.
narrow=(--read-only --cap-drop=ALL --security-opt=no-new-privileges)

import_base() {
  local base=localhost/debian-bookworm:test
  podman image exists "$base" || podman import --change 'CMD ["bash"]' "$image_build/base.tar" "$base"
}

# `build_image TARGET IMAGE [REVISION]`
build_image() {
  buildah bud --isolation chroot --pull-never --format docker --layers \
    --build-arg BASE_IMAGE=localhost/debian-bookworm:test --build-arg REVISION="${3:-$revision}" \
    --target "$1" --tag "$2" .
}

# Layers that no name leads to are dropped at the end. These are what the next run begins with.
keep_layers() {
  build_image build localhost/registry-backend-build:test && build_image build-demo localhost/registry-backend-build-demo:test
}

# Another revision is one file compiled, and nothing else.
compiles_once() {
  local image=localhost/registry-backend-exporter:another said compiled
  build_image exporter $image another-one >"$work/another.log" 2>&1 || { tail -n 40 "$work/another.log"; return 1; }
  said=$(podman run --rm --network none "${narrow[@]}" $image --version)
  podman rmi $image >/dev/null
  [[ $said == *"(revision another-one,"* ]] || { echo "$said"; return 1; }
  compiled=$(grep -o 'Building CXX object .*' "$work/another.log")
  if [[ $compiled != *commands/*/build.cc.o || $compiled == *$'\n'* ]]; then
    echo "compiled for another revision: $compiled"
    return 1
  fi
}

# Runs a container in the test's network until the test ends.
run_container() {
  local name=$1
  shift
  containers_started+=("$name")
  podman run --detach --name "$name" --network "ns:$network" "${narrow[@]}" "$@" >"$work/$name.id"
}

pid_of() { podman inspect --format '{{.State.Pid}}' "$1"; }

# One value out of what podman knows of the image.
image_says() {
  local answer
  answer=$(podman image inspect "$exporter_image" | jq -r ".[0] | $1")
  [ "$answer" = "$2" ] || { echo "$1 is '$answer', not '$2'"; return 1; }
}

start_exporter() {
  run_container exporter --volume state:/var/lib/registry-backend-exporter \
    --volume "$work/exporter.yml:/etc/registry-backend-exporter/config.yml:ro" \
    "$exporter_image" --config.file=/etc/registry-backend-exporter/config.yml
}

healthy() { podman healthcheck run "$1"; }

# `api PATH FILTER`: what the exporter in the network says.
api() { get "http://127.0.0.1:9877/api/v1/$1" | jq -er "$2"; }

scanned() { api "targets?target=$1" '.data[0].newest_scan.outcome == "complete"'; }

is_confined() {
  local status root_file
  status=/proc/$(pid_of exporter)/status
  grep -q '^Uid:	65532	65532	65532	65532$' "$status" || { grep Uid "$status"; return 1; }
  [ "$(grep -c -E '^Cap(Bnd|Eff|Prm):	0+$' "$status")" = 3 ] || { grep Cap "$status"; return 1; }
  grep -q '^NoNewPrivs:	1$' "$status" || return
  root_file=$(podman exec exporter sh -c 'touch /written 2>&1 || true')
  [[ $root_file == *"Read-only file system"* ]] || { echo "the root can be written: $root_file"; return 1; }
}

hosts_of_demo() {
  local hosts
  hosts=$(api 'endpoints?target=demo' '[.data[] | select(.serves == "blobs" and .present) | .backend_host] | sort | join(" ")')
  [ "$hosts" = "deeper-layers.s3.us-west-2.amazonaws.com prod-us-east-1-starport-layer-bucket.s3.dualstack.us-east-1.amazonaws.com" ] ||
    { echo "hosts: $hosts"; return 1; }
}

# What a restart may not change: when each host was first seen, the baseline, how many scans there were.
remembered() {
  api endpoints '.data[] | "\(.backend_host) \(.first_seen)"' | sort
  get http://127.0.0.1:9877/metrics |
    grep -E '^registry_backend_(baseline_timestamp_seconds|scans_total|endpoint_changes_total)'
}

restarts_where_it_stood() {
  local before after
  before=$(remembered)
  podman stop --time 10 exporter >/dev/null
  [ "$(podman inspect --format '{{.State.ExitCode}}' exporter)" = 0 ] || { podman logs exporter; return 1; }
  # A new container on the same volume, as after an upgrade.
  podman rm exporter >/dev/null
  start_exporter || return
  within 30 healthy exporter || return
  within 30 get http://127.0.0.1:9877/-/ready || return
  after=$(remembered)
  [ -n "$before" ] || return
  diff <(echo "$before") <(echo "$after")
}

# By the commands of docs/howto/docker.md, into a volume that is new.
restores_a_copy() {
  local dir=/var/lib/registry-backend-exporter
  podman run --rm --network none --volume "state:$dir:ro" --entrypoint tar "$exporter_image" -cf - . >"$work/state.tar" || return
  podman volume rm --force restored >/dev/null 2>&1
  podman run --rm --interactive --network none --volume "restored:$dir" --entrypoint tar "$exporter_image" -xf - \
    <"$work/state.tar" || return
  diff <(tar -tf "$work/state.tar" | sort) \
    <(podman run --rm --network none --volume "restored:$dir:ro" --entrypoint tar "$exporter_image" -cf - . | tar -t | sort) &&
    grep -q state.json <(tar -tf "$work/state.tar")
}

# The files of an image, as they are in a container of it.
image_files() {
  podman run --rm --network none --user 0 --entrypoint find "$1" / -xdev "${@:2}"
}

holds_nothing_else() {
  local found
  found=$(image_files "$exporter_image" '(' -type f -perm /6000 -o -path '/var/lib/apt/lists/*' -type f -o \
    -name registry_simulator -o -name 'g++*' -o -name cmake -o -path /src -o -name install-deps ')')
  [ -z "$found" ] || { echo "in the image: $found"; return 1; }
}

holds_what_it_should() {
  local found
  found=$(image_files "$exporter_image" -name 'registry_backend_exporter*' -o -path /usr/share/doc/registry-backend-exporter/copyright)
  for file in bin/registry_backend_exporter share/man/man1/registry_backend_exporter.1.gz \
    share/doc/registry-backend-exporter/copyright; do
    grep -qx "/usr/$file" <<<"$found" || { echo "no /usr/$file in the image"; return 1; }
  done
}

says_version() {
  local said
  said=$(podman run --rm --network none "${narrow[@]}" "$exporter_image" --version)
  [[ $said == *"version $(sed -n 's/^project(.* VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt) (revision $revision,"* ]] ||
    { echo "$said"; return 1; }
}

describe_image() {
  local size
  size=$(podman image inspect --format '{{.Size}}' "$exporter_image")
  echo "image: $((size / 1000000)) MB, of which the base is" \
    "$(($(podman image inspect --format '{{.Size}}' localhost/debian-bookworm:test) / 1000000)) MB"
  podman history --format '{{.Size}}	{{.CreatedBy}}' "$exporter_image" | grep -v '^0 B' | cut -c 1-110
  podman run --rm --network none --entrypoint sh "$exporter_image" -c \
    'echo "$(dpkg-query -W | wc -l) packages; $(stat -c %s /usr/bin/registry_backend_exporter) bytes of program"'
}

# The exporter's own image, in a real registry, watched by the exporter that runs from it.
push_image() {
  mkdir "$work/registry"
  cat >"$work/registry.yml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:5001", secret: test}
YAML
  start "$work/registry.log" nsenter --net="$network" env -u AWS_CA_BUNDLE docker-registry serve "$work/registry.yml"
  within 20 get http://127.0.0.1:5001/v2/ || return
  inside skopeo copy --dest-tls-verify=false "containers-storage:$exporter_image" docker://127.0.0.1:5001/registry-backend-exporter:test
}

scans_itself() {
  cat >>"$work/exporter.yml" <<YAML
  - name: itself
    registry: http://127.0.0.1:5001
    repository: registry-backend-exporter
YAML
  # The file is seen through the mount; the new target is scanned at once.
  podman kill --signal HUP exporter >/dev/null
  within 30 scanned itself || return
  local blobs layers
  blobs=$(api 'endpoints?target=itself' '[.data[] | select(.serves == "blobs") | .blobs] | add')
  layers=$(inside skopeo inspect --tls-verify=false docker://127.0.0.1:5001/registry-backend-exporter:test |
    jq '.Layers | unique | length')
  # Each layer, and the config.
  [ "$blobs" = $((layers + 1)) ] || { echo "$blobs blobs of $layers layers"; return 1; }
}

test_image() {
  check "bare Debian for the images" quietly retried make_base || return
  check "bare Debian as an image" quietly import_base
  check "image of the exporter" quietly build_image exporter $exporter_image
  check "image of the simulated registry" quietly build_image demo $demo_image
  check "podman knows the image" podman image exists $exporter_image
  check "podman knows the image of the simulated registry" podman image exists $demo_image
  podman image exists $exporter_image && podman image exists $demo_image || return 0
  check "layers for the next time" quietly keep_layers
  check "another revision compiles one file" compiles_once
  describe_image

  check "version and revision of the image" says_version
  check "image holds the program, its manual and its licence" holds_what_it_should
  check "image holds no compiler, no setuid program, no simulator" holds_nothing_else
  check "image's user" image_says .Config.User 65532:65532
  check "image's volume" image_says '.Config.Volumes | keys[0]' /var/lib/registry-backend-exporter
  check "image's health check" image_says '.Healthcheck.Test | join(" ")' "CMD registry_backend_exporter healthcheck"
  check "image's revision" image_says '.Config.Labels["org.opencontainers.image.revision"]' "$revision"

  cat >"$work/exporter.yml" <<YAML
scan: {max_requests_per_second: 0}
targets:
  - name: demo
    registry: http://127.0.0.1:5000
    repository: hashicorp/terraform-enterprise
    basic_auth: {username: demo, password: demo-password}
YAML
  check "simulated registry runs" run_container simulator $demo_image --listen 127.0.0.1:5000 --auth bearer \
    --username demo --password demo-password --latency 1ms --second-backend deeper-layers.s3.us-west-2.amazonaws.com
  check "simulated registry is healthy" within 30 healthy simulator
  check "exporter runs" start_exporter
  check "exporter is healthy" within 30 healthy exporter
  check "exporter runs as nobody in particular, on a root that is read-only" is_confined
  check "exporter scans the simulated registry" within 60 scanned demo
  check "exporter names its hosts" hosts_of_demo
  check "a new container stands where the old one stood" restarts_where_it_stood
  check "a copy of what is known is restored" restores_a_copy
  check "push to a registry" quietly push_image
  check "exporter scans the repository of its own image" scans_itself
  podman rm --force --time 5 exporter >/dev/null
}
