#!/bin/sh
# Installs the fuzzer of the HTTP API with pip, into a virtual environment below target/.
# Nothing that is up to date is installed again.
set -eu

cd "$(dirname "$0")"

. ../../guest-examples/install.sh

VENV=$(cd ../.. && pwd)/target/api-fuzz/venv

need="the fuzzer of the HTTP API needs Python 3.11 or newer with venv"
has_python || install_packages "$need" python3 python3-venv
has_python || die "$need"
# Written last, so an interrupted installation is repeated.
if is_stale "$VENV/installed" requirements.txt; then
    say "installing the fuzzer of the HTTP API with pip"
    mkdir -p "${VENV%/*}"
    python3 -m venv --clear "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
    touch "$VENV/installed"
fi
