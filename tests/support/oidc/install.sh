#!/bin/sh
# Installs the OpenID Connect issuer that the tests run. Nothing that is up to date is
# installed again.
set -eu

cd "$(dirname "$0")"

. ../../../guest-examples/install.sh

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    install_packages "the issuer of the tests needs Node.js 18 or newer with npm" nodejs npm
fi
if is_stale node_modules/.package-lock.json package-lock.json; then
    say "installing the issuer of the tests with npm"
    npm ci --silent --no-audit --no-fund
fi
