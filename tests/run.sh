#!/usr/bin/env bash
# Installs what the tests need, checks format and lints, runs every test, and ends with their count.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
command -v haproxy >/dev/null || missing+=(haproxy)
command -v zsh >/dev/null || missing+=(zsh)
command -v fish >/dev/null || missing+=(fish)
command -v dot >/dev/null || missing+=(graphviz)
command -v faketime >/dev/null || missing+=(faketime)
command -v valgrind >/dev/null || missing+=(valgrind)
command -v strace >/dev/null || missing+=(strace)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
command -v cc >/dev/null || missing+=(gcc libc6-dev)
if [ "${#missing[@]}" -gt 0 ]; then
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"
fi

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
tests/tools.sh lint

said=$(mktemp -d)
# Tests that are interrupted leave their folders behind: here they go with it.
TMPDIR=$(mktemp -d)
chmod 1777 "$TMPDIR" # as /tmp itself: some tests run a program as another user
export TMPDIR
trap 'rm -rf "$said" "$TMPDIR"' EXIT
status=0
again=()
# How many passed or failed, as these say.
count() { { grep -hsE '^test result:' "${@:2}" || true; } | { grep -oE "[0-9]+ $1" || true; } | awk '{ n += $1 } END { print n + 0 }'; }

# Runs tests, and keeps what they say under this name. Where a machine is busy with something else a test may fail that
# waits for a lease or a fail-over: up to three are run once more, alone, and named in the last line. A property that has
# found a case is not: another run would try others.
run() {
  local log=$said/$1 names
  shift
  if cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log"; then return; fi
  mapfile -t names < <(sed -nE 's/^test (\S+) \.\.\. FAILED$/\1/p' "$log")
  if [ "${#names[@]}" -ge 1 ] && [ "${#names[@]}" -le 3 ] && [ "${#names[@]}" -eq "$(count failed "$log")" ] &&
    ! grep -q 'minimal failing input' "$log"; then
    echo "run again, alone: ${names[*]}"
    if cargo test --locked -- --exact --test-threads=1 "${names[@]}" 2>&1 | tee "$said/again" &&
      [ "$(count passed "$said/again")" -eq "${#names[@]}" ]; then
      again+=("${names[@]}")
      return
    fi
  fi
  status=1
}

# One more at once than there are processors: many wait, for a lease, a fail-over or a deadline.
run suite -- --test-threads=$(($(nproc) + 1))
valkey=$(tests/tools.sh valkey)
if [ -n "$valkey" ]; then
  echo "the store on $("$valkey" --version)"
  export CALLGATE_TEST_REDIS=$valkey
  run valkey --test it -- \
    store::contract::redis store::contract::cluster store::redis:: store::redis_damage:: store::cluster::
  unset CALLGATE_TEST_REDIS
fi

# What a webhook costs, counted and not timed: neither may grow by more than 3 %.
cargo build --locked --release
cargo bench --locked --profile dev --bench webhooks -- check --callgate target/release/callgate || status=$?

# What failed is told once more at the end, where it is found.
if [ "$status" -ne 0 ]; then
  awk '/^failures:$/ { told = 1 } told { print } /^test result: FAILED/ { told = 0 }' "$said"/* | head -n 200
fi
passed=$(($(count passed "$said"/suite "$said"/valkey) + ${#again[@]}))
failed=$(($(count failed "$said"/suite "$said"/valkey) - ${#again[@]}))
echo "tests: $passed passed, $failed failed${again:+ (when run again: ${again[*]})}"
[ "$status" -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
