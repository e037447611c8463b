#!/bin/sh
# Generates clients in Python and TypeScript from the description of the HTTP API into
# target/clients, and checks the workers that use them. A warning of a generator is an
# error.
#
# Nothing that is up to date is generated again. Missing tools are installed by their
# usual installers, and a line says so: Node.js and Python by apt-get, packages by npm
# and by pip, the latter into a virtual environment in target/clients/venv.
set -eu

cd "$(dirname "$0")"

. ../install.sh

DOCUMENT=../../tests/golden/openapi.json
CLIENTS=$(cd ../.. && pwd)/target/clients

# Runs a generator, and shows what it printed if it failed or warned.
generate() {
    if ! printed=$("$@" 2>&1) || echo "$printed" | grep -qi -e warning -e '⚠'; then
        echo "$printed" >&2
        die "a generator failed or warned"
    fi
}

generate_python() {
    need="the Python client needs Python 3.11 or newer with venv"
    has_python || install_packages "$need" python3 python3-venv
    has_python || die "$need"
    # Written last, so an interrupted installation is repeated.
    if is_stale "$CLIENTS/venv/installed" python/requirements.txt; then
        say "installing the generator of the Python client with pip"
        python3 -m venv --clear "$CLIENTS/venv"
        "$CLIENTS/venv/bin/pip" install --quiet --disable-pip-version-check -r python/requirements.txt
        touch "$CLIENTS/venv/installed"
    fi
    client=$CLIENTS/python/flowhost_client
    if is_stale "$client/checked" "$DOCUMENT" "$CLIENTS/venv/installed" python; then
        rm -rf "$client"
        # The generator formats what it wrote with ruff.
        generate env PATH="$CLIENTS/venv/bin:$PATH" openapi-python-client generate \
            --path "$DOCUMENT" --output-path "$client" --meta none --fail-on-warning
        PYTHONPATH="$CLIENTS/python" "$CLIENTS/venv/bin/python" - <<'END'
import importlib, pkgutil, flowhost_client, runpy
for module in pkgutil.walk_packages(flowhost_client.__path__, "flowhost_client."):
    importlib.import_module(module.name)
runpy.run_path("python/worker.py", run_name="imported")
END
        touch "$client/checked"
    fi
    echo "target/clients/python"
}

generate_typescript() {
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        install_packages "the TypeScript client needs Node.js 18 or newer with npm" nodejs npm
    fi
    # npm leaves this record once everything is in place. One older than the lock file
    # lists other versions.
    if is_stale typescript/node_modules/.package-lock.json typescript/package-lock.json; then
        say "installing the generator of the TypeScript client with npm"
        (cd typescript && npm ci --silent --no-audit --no-fund)
    fi
    if is_stale typescript/dist/worker.js "$DOCUMENT" typescript/*.ts typescript/*.json; then
        rm -rf typescript/dist
        generate npm --prefix typescript run generate
        npm --prefix typescript run --silent build
    fi
    echo "target/clients/typescript"
}

mkdir -p "$CLIENTS/python" "$CLIENTS/typescript"
generate_python
generate_typescript
