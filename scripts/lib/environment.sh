# Shared by the scripts and by deploy/install.sh: messages, Debian packages, and a virtual environment from a lock file.
# Source it; it names no package registry, so pip's own configuration (PIP_INDEX_URL, pip.conf) is honoured.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf 'raceway: %s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }

# may_install: whether this user may install Debian packages without being asked for a password.
may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# install_packages NAME...: installs Debian packages; the package list is refreshed once a run.
install_packages() {
  say "installing $* with apt-get"
  local apt=(apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3) log
  log=$(mktemp)
  # A list that could not be refreshed is no reason to give up: one broken source must not keep out all the others.
  if [ -z "${RACEWAY_APT_REFRESHED:-}" ]; then "${apt[@]}" update </dev/null >"$log" 2>&1 || true; fi
  if DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "$@" </dev/null >>"$log" 2>&1; then
    export RACEWAY_APT_REFRESHED=yes
    rm -f "$log"
  else
    tail -n 5 "$log" >&2
    say "apt-get could not install $*; its words are above, all of them in $log"
    return 1
  fi
}

# find_python: prints the first Python of at least 3.11; $PYTHON is tried before the others.
find_python() {
  local name
  for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}

# python_with_venv: prints a Python that can make virtual environments, installing what Debian leaves out.
python_with_venv() {
  local python package
  if ! python=$(find_python); then
    may_install && install_packages python3 python3-venv || true
    python=$(find_python) || stop "Python 3.11 or newer is needed and was not found. Debian 12 and Ubuntu 24.04 have it: apt-get install python3 python3-venv"
  fi
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    may_install || stop "this Python has no venv module. Run this one command, then start again: sudo apt-get install -y $package"
    install_packages "$package"
  fi
  printf '%s\n' "$python"
}

# pip_install DIRECTORY ARGUMENT...: pip of that environment, with one moving line on a terminal and a log beside it.
pip_install() {
  local directory=$1 line count=0 log=$1/install.log
  shift
  "$directory/bin/python" -m pip install --no-deps --no-input --disable-pip-version-check --root-user-action=ignore \
    --progress-bar off "$@" 2>&1 </dev/null | while IFS= read -r line; do
    printf '%s\n' "$line" >>"$log"
    case $line in Collecting* | Requirement\ already* | Installing*) count=$((count + 1)) ;; *) continue ;; esac
    if [ -t 2 ]; then printf '\rraceway: package %d: %-60.60s' "$count" "$line" >&2; fi
  done || {
    tail -n 8 "$log" >&2
    stop "pip could not install the packages; its words are above, all of them in $log. Check the network, or name your mirror in PIP_INDEX_URL"
  }
  if [ -t 2 ]; then printf '\r%80s\r' '' >&2; fi
}

# make_environment DIRECTORY LOCK [OPTION...]: a virtual environment with exactly the packages of LOCK, each checked by its
# hash; more options for pip.
make_environment() {
  local directory=$1 lock=$2 python
  shift 2
  if ! "$directory/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(python_with_venv)
    "$python" -m venv --clear "$directory"
  fi
  pip_install "$directory" --require-hashes --only-binary :all: "$@" -r "$lock"
}

# stamp_of LOCK: what the environment depends on, as a checksum.
stamp_of() { { cat "$top/$1" "$top/pyproject.toml" "$top/scripts/lib/environment.sh" && echo "$top"; } | sha256sum; }

LOCKS=(requirements.lock requirements-demo.lock requirements-dev.lock) # each holds the ones before it whole

# environment LOCK: makes .venv from one of LOCKS and puts this checkout into it, so that .venv/bin/raceway runs. Does nothing
# when nothing changed.
environment() {
  local lock=$1 each
  is_current() { [ -x "$top/.venv/bin/raceway" ] && [ "$(cat "$top/.venv/stamp-$1" 2>/dev/null)" = "$(stamp_of "$1")" ]; }
  if is_current "$lock"; then return; fi
  (
    flock 9 # two scripts at once take turns
    if is_current "$lock"; then exit; fi
    say "making .venv from $lock, once; about a minute"
    make_environment "$top/.venv" "$top/$lock" --no-compile # Python compiles the few modules that are used, when they are
    pip_install "$top/.venv" --no-index --no-build-isolation --editable "$top"
    for each in "${LOCKS[@]}"; do
      stamp_of "$each" >"$top/.venv/stamp-$each"
      if [ "$each" = "$lock" ]; then break; fi
    done
  ) 9<"$top/pyproject.toml"
}
