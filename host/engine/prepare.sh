#!/bin/sh
# Writes the descriptions of all queries into host/engine/.sqlx, from a private
# database that it starts, applies the migrations to and throws away.
#
# The build reads these descriptions, so that it needs no database. Run this
# after changing a query or a migration, and commit what it writes.
# usage: host/engine/prepare.sh           writes them
#        host/engine/prepare.sh --check   fails if those committed are others
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
cd "$top"

case ${1:-} in
'' | --check) ;;
*)
    echo "usage: host/engine/prepare.sh [--check]" >&2
    exit 2
    ;;
esac

new=$here/.sqlx.new
rm -rf "$new"
mkdir "$new"
trap 'rm -rf "$new"' EXIT
# Cargo does not know that the descriptions are missing.
touch "$here/src/lib.rs"
# The packages named are those of the other commands, so that the features of the
# dependencies are the same, and none is compiled once more.
cargo build --quiet --workspace --example with_database
SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$new \
    "${CARGO_TARGET_DIR:-target}/debug/examples/with_database" migrations/*.sql -- \
    cargo check --quiet -p engine -p flowhost --lib

if [ "${1:-}" = --check ]; then
    if ! diff -rq "$here/.sqlx" "$new"; then
        echo "prepare: host/engine/.sqlx is not what the queries and migrations say; run host/engine/prepare.sh and commit what it writes" >&2
        exit 1
    fi
    echo "prepare: $(ls "$new" | wc -l) descriptions are as committed"
else
    rm -rf "$here/.sqlx"
    mv "$new" "$here/.sqlx"
    echo "prepare: $(ls "$here/.sqlx" | wc -l) descriptions in host/engine/.sqlx"
fi
