# shellcheck shell=bash
# The Debian package: built, judged, installed in a bare Debian, and its unit started by systemd. Sourced by scripts/test.

unit=registry-backend-exporter.service

build_package() {
  rm -f build/release/*.deb
  # As the other parts configure it, so that nothing is compiled twice.
  cmake --preset release -DREGISTRY_BACKEND_TESTS=ON -DREGISTRY_BACKEND_WARNINGS_AS_ERRORS=ON &&
    cmake --build --preset release --target registry_backend_package -- -j "$jobs" || return
  package=$(echo "$PWD"/build/release/registry-backend-exporter_*.deb)
  [ -s "$package" ]
}

# One version, wherever it has to be written.
versions_agree() {
  local version said
  version=$(sed -n 's/^project(.* VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
  said=$(sed -n 's/^ARG VERSION=//p' Dockerfile
    sed -n 's/.*image: registry-backend-[a-z]*://p' deploy/compose/compose.yml
    sed -n '1s/.*(\(.*\)).*/\1/p' deploy/debian/changelog
    grep -ohE 'registry-backend-(exporter|demo):[0-9]+[.][0-9.]*[0-9]' Dockerfile docs/howto/docker.md | cut -d : -f 2)
  [ "$(sort -u <<<"$said")" = "$version" ] || { echo "version $version, and elsewhere: ${said//$'\n'/ }"; return 1; }
}

# Warnings are shown, errors fail.
passes_lintian() {
  local said
  said=$(lintian --allow-root --fail-on error "$package" 2>&1)
  local status=$?
  [ -z "$said" ] || echo "$said"
  [ "$status" -ne 0 ] || echo "lintian: $(grep -c '^E:' <<<"$said") errors, $(grep -c '^W:' <<<"$said") warnings"
  return "$status"
}

# What Debian hardens its programs with.
is_hardened_program() {
  local said
  said=$(readelf --wide --file-header --program-headers --dynamic --dyn-syms "$root/usr/bin/registry_backend_exporter")
  grep -q -E '^ *Type: +DYN' <<<"$said" || { echo "its addresses are not random (no PIE)"; return 1; }
  [[ $said == *GNU_RELRO* ]] || { echo "its relocations can be written (no RELRO)"; return 1; }
  grep -q -E '\(FLAGS(_1)?\) .*NOW' <<<"$said" || { echo "its table of functions can be written (no BIND_NOW)"; return 1; }
  [[ $said == *__stack_chk_fail* ]] || { echo "its stack is not guarded"; return 1; }
  grep -q -E '__(memcpy|memset|memmove|snprintf|read|recv)[a-z]*_chk' <<<"$said" || { echo "its calls are not fortified"; return 1; }
}

# What is built makes the same package, whenever it is packed.
is_reproducible() {
  local before
  before=$(sha256sum <"$package")
  # The files are as old as this; the package is not to show it.
  find build/release/deploy build/release/registry_backend_exporter -type f -exec touch '{}' +
  cmake --build --preset release --target registry_backend_package -- -j "$jobs" >"$work/again.log" 2>&1 ||
    { tail -n 20 "$work/again.log"; return 1; }
  [ "$(sha256sum <"$package")" = "$before" ] || { echo "another package: $before $(sha256sum <"$package")"; return 1; }
}

# What Prometheus, Alertmanager, blackbox_exporter, Grafana and systemd are given is here, as it is in the repository.
ships_what_others_read() {
  local shared=$root/usr/share/registry-backend-exporter file
  for file in alerts/registry-backend{,-shards}.rules.yml alerts/alertmanager.yml alerts/templates/registry-backend.tmpl \
    dashboards/{registry-backends,exporter-health,reachability}.json dashboards/provisioning/{dashboards,datasources} \
    deploy/prometheus/{prometheus,blackbox}.yml deploy/systemd/private-{config,web}.conf deploy/compose/alertmanager/slack.yml deploy/examples; do
    diff -r "$file" "$shared/$file" || return
  done
  file=$(find "$shared" ! -perm -444 -o -type f -perm /111)
  [ -z "$file" ] || { echo "not for everybody to read, or to be run: $file"; return 1; }
  promtool check rules "$shared"/alerts/*.rules.yml &&
    promtool check config "$shared/deploy/prometheus/prometheus.yml" &&
    prometheus-blackbox-exporter --config.check --config.file="$shared/deploy/prometheus/blackbox.yml"
}

# What the program is linked with is what the image installs.
needs_what_the_image_has() {
  local needed listed
  needed=$(dpkg-deb --field "$package" Depends | tr ',' '\n' | sed 's/(.*//; s/-fmt9//; s/ //g' |
    grep -v -x -E 'init-system-helpers|libc6|libgcc-s1' | sort -u)
  listed=$(sed -n '/^runtime=(/,/^)/p' scripts/install-deps | sed 's/#.*//; s/^runtime=(//; s/^)//' | tr -s ' ' '\n' |
    grep . | sort -u)
  diff <(echo "$listed") <(echo "$needed")
}

# Runs a command in the bare Debian that the package is installed in.
bare() { env -i PATH="$PATH" LC_ALL=C TERM=dumb DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }

make_chroot() {
  root=$work/root
  mkdir "$root" && tar -C "$root" -xf "$image_build/base.tar" || return
  # Manuals are wanted here.
  rm -f "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  # Asked before each start and stop: it takes them down and forbids them.
  # shellcheck disable=SC2016
  printf '#!/bin/sh\necho "$1 $2" >>/asked-to\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  cp "$package" "$root/tmp/package.deb"
}

# With the proxy that the machine may have.
apt_in_chroot() {
  chroot "$root" env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 --no-install-recommends "$@"
}

# First without systemd, as in a container.
install_without_systemd() {
  retried apt_in_chroot update && apt_in_chroot install /tmp/package.deb || return
  [ ! -e "$root/bin/systemctl" ] || { echo "systemd was there already"; return 1; }
  bare dpkg --verify registry-backend-exporter
}

# shellcheck disable=SC2016
is_configured_package() { [ "$(bare dpkg-query -W -f '${db:Status-Status}' registry-backend-exporter)" = installed ]; }

has_conffiles() {
  local listed
  # shellcheck disable=SC2016
  listed=$(bare dpkg-query -W -f '${Conffiles}' registry-backend-exporter | sed 's/^ //' | cut -d ' ' -f 1 | grep . | sort)
  diff <(cd "$root" && find etc/registry-backend-exporter etc/default/registry-backend-exporter -type f -printf '/%p\n' | sort) \
    <(echo "$listed")
}

accepts_its_configuration() {
  bare registry_backend_exporter serve --config.check --config.file=/etc/registry-backend-exporter/config.yml
}

renders_manual() {
  local page
  page=$(bare man registry_backend_exporter | col -b)
  [[ $page == *NAME*SYNOPSIS*healthcheck* ]] || { echo "${page:0:400}"; return 1; }
}

completes() {
  local share=$root/usr/share said
  case $1 in
    bash)
      # By the loader that looks for a file of the command's name.
      said=$(XDG_DATA_DIRS=$share bash --norc -c '
        . /usr/share/bash-completion/bash_completion
        __load_completion registry_backend_exporter
        COMP_WORDS=(registry_backend_exporter health) COMP_CWORD=1
        _registry_backend_exporter
        echo "${COMPREPLY[@]}"')
      ;;
    fish)
      # shellcheck disable=SC2016
      said=$(HOME=$work XDG_CONFIG_HOME=$work XDG_DATA_HOME=$work fish --no-config -c \
        'source $argv[1]; complete -C "registry_backend_exporter health"' \
        "$share/fish/vendor_completions.d/registry_backend_exporter.fish")
      ;;
    zsh)
      # shellcheck disable=SC2016
      said=$(zsh -f -c 'fpath=($1 $fpath); autoload -U compinit; compinit -u -D; whence -v $_comps[registry_backend_exporter]
        autoload +X _registry_backend_exporter && functions _registry_backend_exporter' zsh "$share/zsh/vendor-completions")
      ;;
  esac
  [[ $said == *healthcheck* ]] || { echo "${said:0:400}"; return 1; }
}

is_enabled() { [ "$(bare systemctl is-enabled "$unit")" = enabled ]; }

verifies() {
  local said
  said=$(bare systemd-analyze verify "$unit" 2>&1) || true
  [ -z "$said" ] || { echo "$said"; return 1; }
}

is_hardened() {
  local said score
  said=$(systemd-analyze security --offline=true --root="$root" "$unit" 2>&1)
  score=$(sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p' <<<"$said")
  echo "systemd-analyze security: $score of 10"
  awk -v score="$score" 'BEGIN { exit !(score != "" && score < 2.0) }' || { echo "$said"; return 1; }
}

# systemd seems to run, so that the scripts of the package would start the unit: policy-rc.d is asked and says no.
asks_before_it_starts() {
  rm -f "$root/asked-to"
  mkdir -p "$root/run/systemd/system"
  bare dpkg --install /tmp/package.deb || return
  rmdir "$root/run/systemd/system"
  grep -q "^$unit restart$" "$root/asked-to" || { cat "$root/asked-to"; return 1; }
}

keeps_edits() {
  local config=$root/etc/registry-backend-exporter/config.yml
  echo '# edited' >>"$config"
  bare dpkg --install /tmp/package.deb || return
  [ "$(tail -n 1 "$config")" = '# edited' ]
}

systemd_runs() {
  case $(podman exec debian systemctl is-system-running 2>/dev/null) in
    running | degraded) ;;
    *) return 1 ;;
  esac
}

# The installed system, started: its own network's simulator is what it scans, with the password that only root may read.
start_debian() {
  cat >"$root/etc/registry-backend-exporter/config.yml" <<YAML
scan: {max_requests_per_second: 0}
targets:
  - name: demo
    registry: http://127.0.0.1:5000
    repository: hashicorp/terraform-enterprise
    basic_auth: {username: demo, password_file: /run/credentials/$unit/license}
YAML
  install -m 600 /dev/stdin "$root/etc/registry-backend-exporter/license.txt" <<<demo-password
  containers_started+=(debian)
  # systemd hands credentials over through mounts that have to reach the service.
  podman run --detach --name debian --network "ns:$network" --systemd always --cap-add ALL \
    --security-opt seccomp=unconfined --cgroupns private --rootfs "$root" \
    sh -c 'mount --make-rshared / && exec /lib/systemd/systemd' >/dev/null
  within 30 systemd_runs
}

unit_says() {
  local answer
  answer=$(podman exec debian systemctl show --value --property "$1" "$unit")
  [ "$answer" = "$2" ] || { echo "$1 is '$answer', not '$2'"; return 1; }
}

reloads() {
  podman exec debian systemctl reload "$unit" || return
  within 10 journal_has 'Configuration reloaded'
}

journal_has() { podman exec debian journalctl --no-pager --unit "$unit" | grep "$1" >/dev/null; }

# Those of the process too, which hardening may hide from it.
has_process_metrics() {
  local count
  count=$(get http://127.0.0.1:9877/metrics | grep -c '^process_')
  [ "$count" = 7 ] || { echo "$count of the 7 metrics of the process"; return 1; }
}

stops_at_once() {
  local start=$SECONDS
  podman exec debian systemctl stop "$unit" || return
  unit_says Result success && [ $((SECONDS - start)) -le 6 ]
}

purges() {
  bare dpkg --purge registry-backend-exporter || return
  local left
  left=$(find "$root"/{etc,usr,lib,var/lib} -path '*registry-backend-exporter*' -o -name '*registry_backend_exporter*')
  # What dpkg keeps.
  left=$(grep -v -E '/var/lib/(dpkg|systemd/deb-systemd-helper)' <<<"$left" || true)
  [ -z "$left" ] || { echo "left behind: $left"; return 1; }
}

# The drop-in starts what the unit starts, but for where the configuration is.
starts_the_same() {
  diff <(grep ^ExecStart= deploy/systemd/registry-backend-exporter.service | sed 's#/etc/registry-backend-exporter/config.yml#%d/config.yml#') \
    <(grep ^ExecStart=. deploy/systemd/private-config.conf)
}

# The configuration is root's alone from here on, and the unit as it is installed cannot read it.
cannot_read_roots_files() {
  chmod 600 "$root/etc/registry-backend-exporter/config.yml"
  podman exec debian systemctl start "$unit"
  within 10 unit_says ActiveState failed && journal_has 'config.yml.*Permission denied'
}

# By the drop-ins of the package, as they say it: TLS with a key of root's alone, too. All is scanned anew.
is_handed_roots_files() {
  local etc=$root/etc/registry-backend-exporter shared=/usr/share/registry-backend-exporter/deploy/systemd
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost -keyout "$work/server-key.pem" \
    -out "$work/server.pem" 2>"$work/openssl.log" || { cat "$work/openssl.log"; return 1; }
  install -m 600 "$work/server.pem" "$work/server-key.pem" "$etc"
  install -m 600 /dev/stdin "$etc/web.yml" <<<'tls_server_config: {cert_file: server.pem, key_file: server-key.pem}'
  rm -rf "$root/var/lib/private/registry-backend-exporter"
  # Beside the copy.
  sed -i 's#password_file: .*/license#password_file: license#' "$etc/config.yml"
  echo "ARGS=\"--web.config.file=/run/credentials/$unit/web.yml\"" >"$root/etc/default/registry-backend-exporter"
  podman exec debian sh -c "install -D -m 644 -t /etc/systemd/system/$unit.d $shared/private-config.conf $shared/private-web.conf &&
    systemctl daemon-reload && systemctl restart $unit" || return
  [ "$(stat -c %a "$etc"/{config.yml,web.yml,server-key.pem} | sort -u)" = 600 ] || return
  within 20 podman exec debian registry_backend_exporter healthcheck --url https://localhost:9877 --insecure-skip-verify
}

scans_over_tls() {
  get --insecure 'https://127.0.0.1:9877/api/v1/targets?target=demo' | jq -e '.data[0].newest_scan.outcome == "complete"'
}

# What it has is a copy: reloading that would be no reload.
refuses_to_reload() { ! podman exec debian systemctl reload "$unit" 2>/dev/null; }

test_unit() {
  if ! start_debian >"$work/debian.log" 2>&1; then
    tail -n 5 "$work/debian.log"
    cannot_run="systemd does not start in a container"
  fi
  check "unit is started with the system" within 20 unit_says ActiveState active
  check "unit is healthy" within 20 podman exec debian registry_backend_exporter healthcheck
  check "unit scans with the password that root alone may read" within 60 scanned demo
  check "unit tells of its process" has_process_metrics
  check "unit runs as a user of its own" unit_says DynamicUser yes
  check "unit reloads" reloads
  check "unit keeps its state where systemd lets it" podman exec debian sh -c \
    'ls /var/lib/private/registry-backend-exporter/*/state.json'
  check "unit stops at once" stops_at_once
  check "unit cannot read a configuration of root's alone" cannot_read_roots_files
  check "unit is handed a configuration, a certificate and a key of root's alone" is_handed_roots_files
  check "unit scans with a password that is beside them" within 60 scans_over_tls
  check "unit does not reload what it was handed" refuses_to_reload
  if [ -n "$cannot_run" ]; then
    echo "${#skipped[@]} checks could not run here: $cannot_run"
    cannot_run=
  fi
  podman rm --force --time 5 debian >/dev/null 2>&1 || true
  # This test's, and not the package's.
  rm -rf "$root/etc/systemd/system/$unit.d" "$root/etc/registry-backend-exporter"/{web.yml,*.pem,license.txt}
}

test_package() {
  check "Debian package" quietly build_package
  [ -s "${package:-}" ] || return 0
  echo "package: $(stat -c '%n, %s bytes' "${package#"$PWD/"}")"
  check "one version" versions_agree
  check "drop-in starts what the unit does" starts_the_same
  check "packed again it is the same package" is_reproducible
  check lintian passes_lintian
  check "package depends on what the image installs" needs_what_the_image_has
  check "bare Debian" make_chroot
  [ -x "$root/usr/bin/dpkg" ] || return 0
  check "package installs without systemd" quietly install_without_systemd
  check "package is configured" is_configured_package
  check "installed program" bare registry_backend_exporter --version
  check "installed program is hardened" is_hardened_program
  check "package holds what Prometheus, Alertmanager, Grafana and systemd are given" quietly ships_what_others_read
  check "files to be edited are conffiles" has_conffiles
  check "installed configuration is right" quietly accepts_its_configuration
  check "systemd and man in the bare Debian" quietly apt_in_chroot install systemd systemd-sysv man-db
  check "manual page" renders_manual
  local shell
  for shell in bash fish zsh; do check "completion in $shell" completes "$shell"; done
  check "unit is enabled" is_enabled
  check "systemd-analyze verify" verifies
  check "systemd-analyze security" is_hardened
  check "policy-rc.d is asked" quietly asks_before_it_starts
  check "an edited configuration outlives an installation" quietly keeps_edits
  test_unit
  check "purge" quietly purges
}
