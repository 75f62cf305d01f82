# shellcheck shell=bash
# What the parts of `scripts/test image` share: a place to work in, a network of its own, a bare Debian, and an end
# that leaves nothing behind. Sourced by scripts/test, from the repository's root.

work=
pids=()
containers_started=()
has_containers=false           # of the test's own: what the machine's podman has is not ours to remove
image_build=$PWD/build/image   # kept: the bare Debian, for a week, and the newest layers that images are built of

# Reached through the trap.
# shellcheck disable=SC2317
clean_up() {
  local status=$? name pid
  if $has_containers; then
    for name in "${containers_started[@]}"; do podman rm --force --time 5 --volumes "$name" >/dev/null 2>&1 || true; done
    podman volume rm --force state restored compose-state >/dev/null 2>&1 || true
  fi
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && { wait "$pid" 2>/dev/null || true; }; done
  [ -z "$work" ] || rm -rf "$work"
  exit "$status"
}

# Where there is no systemd to run health checks, it complains at each step; they are run by hand here.
podman() { command podman --log-level fatal "$@"; }

# Starts a program that ends with the test.
start() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 &
  pids+=($!)
}

# Tries a command every half second until it succeeds, for so many seconds.
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || { "$@"; return; }
    sleep 0.5
  done
}

# Downloads break now and then. For nothing else: what is wrong is wrong the third time, too.
retried() {
  local attempt
  for attempt in 1 2 3; do
    "$@" && return
    echo "attempt $attempt of $1 failed" >&2
    sleep $((attempt * 5))
  done
  return 1
}

# Runs a command and shows what it printed only when it fails.
quietly() {
  local log
  log=$(mktemp -p "$work")
  "$@" >"$log" 2>&1 || { tail -n 40 "$log"; return 1; }
}

# Loopback and nothing else: no port of the machine's is in the way, and nothing can leave.
start_network() {
  start "$work/network.log" unshare --net sleep infinity
  network=/proc/${pids[-1]}/ns/net
  within 10 test "$(readlink /proc/self/ns/net)" != "$(readlink "$network")" || return
  within 10 nsenter --net="$network" ip link set lo up
}

inside() { nsenter --net="$network" "$@"; }
get() { inside curl -sf --max-time 10 "$@"; }

# Podman and buildah without an engine, a session or a journal.
configure_containers() {
  local driver
  mkdir -p "$image_build"
  # One run at a time: the storage and the names in it are shared.
  exec {image_lock}>"$image_build/.lock"
  flock --nonblock "$image_lock" || { echo "another scripts/test image is under way"; return 1; }
  export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
  cat >"$CONTAINERS_CONF" <<TOML
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
TOML
  # The second one is slower, and works where the disk below is an overlay already.
  for driver in overlay vfs; do
    printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "%s"\n' \
      "$driver" "$image_build/storage-$driver" "$image_build/run-$driver" >"$CONTAINERS_STORAGE_CONF"
    if podman info >/dev/null 2>&1; then
      has_containers=true
      # Those of a run that was killed.
      podman rm --all --force --time 0 >/dev/null 2>&1 || true
      return
    fi
  done
  podman info
}

# What no image of this test's is built of any more. In its own storage: the machine's is not ours to tidy.
drop_old_layers() {
  local before
  $has_containers || return 0
  # Without what containers have mounted there.
  before=$(du -smx "$image_build" | cut -f 1)
  podman image prune --force >/dev/null
  echo "build/image: $before MiB, $(du -smx "$image_build" | cut -f 1) MiB without what is old"
}

# A bare Debian 12 from where the machine itself has its packages. What its apt needs on the way there (a proxy, options
# about dates, a certificate authority of the house) goes along, into this test's Debian only.
make_base() {
  local base=$image_build/base.tar sources=$work/sources.list options=$work/apt.conf given=() file path
  # Not older than a week: Debian mends its packages.
  [ -z "$(find "$base" -mtime -7 -size +0 2>/dev/null)" ] || return 0
  # shellcheck disable=SC2016
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Origin: Debian' 'Created-By: Packages' |
    sort -u >"$sources"
  [ -s "$sources" ] || echo 'deb http://deb.debian.org/debian bookworm main' >"$sources"
  apt-config dump | grep -E '^Acquire::(Check-|Retries|http|https)' >"$options" || true
  # shellcheck disable=SC2016
  given+=(--customize-hook='mkdir -p "$1/usr/local/share/ca-certificates"')
  for file in /usr/local/share/ca-certificates/*.crt; do
    if [ -e "$file" ]; then given+=(--customize-hook="copy-in $file /usr/local/share/ca-certificates/"); fi
  done
  if grep -q https: "$sources"; then
    given+=(--customize-hook="sync-in /etc/ssl/certs /etc/ssl/certs" --include=openssl)
  fi
  # Without what Debian's own slim image leaves out.
  for path in man doc info locale groff lintian; do given+=(--dpkgopt="path-exclude=/usr/share/$path/*"); done
  given+=(--dpkgopt='path-include=/usr/share/doc/*/copyright')
  TMPDIR=$work mmdebstrap --mode=root --variant=minbase --aptopt="$options" "${given[@]}" \
    bookworm "$work/base.tar" "$sources" || return
  mv "$work/base.tar" "$base"
  podman untag localhost/debian-bookworm:test 2>/dev/null || true
}
