# shellcheck shell=bash disable=SC2034
# What the scripts share. Sourced by them, from the root of the tree.

say() { printf '\n==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# as_root COMMAND...: through sudo when this is not root.
as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    command -v sudo > /dev/null || die "not root, and there is no sudo: run as root: $*"
    sudo "$@"
  fi
}

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2> /dev/null) == ii* ]]; }

# logged LOG COMMAND...: its output goes to the file; the end of that is shown if it fails.
logged() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" > "$log" 2>&1 < /dev/null; then
    tail -n 40 "$log" >&2
    die "failed: $* (all of it in $log)"
  fi
}

# install_packages PACKAGE...: those that are missing. Asks nothing, and touches no network when all
# are there.
install_packages() {
  local package missing=()
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]} > 0)) || return 0
  say "installing ${missing[*]}"
  logged build/logs/apt.log as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update
  logged build/logs/apt.log as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y --no-install-recommends install "${missing[@]}"
}

# Where ccache is installed, what was compiled before is not compiled again, in another clone neither.
if command -v ccache > /dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
fi

# build PRESET TARGET...: configures and builds, and says how far it is at every quarter.
build() {
  local preset=$1 log=build/logs/$1-build.log
  shift
  say "building $preset (log: $log)"
  logged "build/logs/$preset-configure.log" cmake --preset "$preset"
  cmake --build --preset "$preset" -j "$(nproc)" --target "$@" < /dev/null 2>&1 | tee "$log" |
    awk -F'[][/]' '/^\[[0-9]+\/[0-9]+\]/ && int(4 * $2 / $3) > quarter {
      quarter = int(4 * $2 / $3); printf "    %s of %s steps\n", $2, $3; fflush() }' || {
    grep -A 20 -E 'error|FAILED' "$log" | head -n 80 >&2
    die "the $preset build failed (all of it in $log)"
  }
}

# install_node_clients: the clients of npm that tests/clients pins, to build/node_clients. Touches no network when they
# are there.
install_node_clients() {
  local dir=build/node_clients
  command -v npm > /dev/null || install_packages nodejs npm
  mkdir -p "$dir" build/logs
  if [[ -d $dir/node_modules ]] && cmp -s tests/clients/package-lock.json "$dir/package-lock.json"; then return 0; fi
  say "installing the clients of tests/clients/package.json (log: build/logs/npm.log)"
  rm -rf "$dir/node_modules"
  cp tests/clients/package.json tests/clients/package-lock.json "$dir"
  # What is absent is skipped by the tests, and said so.
  (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund) > build/logs/npm.log 2>&1 < /dev/null || {
    rm -rf "$dir/node_modules"
    say "they could not be installed: they are not tested"
  }
}

BUILD_PACKAGES=(cmake ninja-build g++ pkgconf liblz4-dev libzstd-dev libxxhash-dev
                nlohmann-json3-dev libtomlplusplus-dev libssl-dev libcurl4-openssl-dev
                libmimalloc-dev)
DEMO_PACKAGES=(redis-tools)  # redis-cli
TEST_PACKAGES=("${BUILD_PACKAGES[@]}" python3 clang libgtest-dev libgmock-dev libbenchmark-dev
               libmsgpack-cxx-dev libcereal-dev librapidcheck-dev binutils redis-tools
               python3-redis libhiredis-dev prometheus-redis-exporter openssl dpkg-dev etcd-server
               faketime zsh
               python3-pytest python3-pip python3-setuptools python3-wheel)
COVERAGE_PACKAGES=(llvm)
