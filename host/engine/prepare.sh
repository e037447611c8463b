#!/bin/sh
# Writes the descriptions of all queries into host/engine/.sqlx, from a private
# database that the migrations have just been applied to.
#
# The build reads these descriptions, so that it needs no database. Run this
# after changing a query or a migration, and commit what it writes.
# usage: host/engine/prepare.sh            needs psql and a server to start
#        DATABASE_URL=… host/engine/prepare.sh    an empty database to use
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)

if [ -z "${DATABASE_URL:-}" ]; then
    echo "prepare: set DATABASE_URL to an empty database that may be filled with the schema" >&2
    exit 2
fi
for migration in "$top"/migrations/*.sql; do
    psql -q -v ON_ERROR_STOP=1 "$DATABASE_URL" -f "$migration"
done
rm -rf "$here/.sqlx.new"
mkdir "$here/.sqlx.new"
touch "$here/src/lib.rs"
(cd "$top" && SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$here/.sqlx.new" cargo check -p engine)
rm -rf "$here/.sqlx"
mv "$here/.sqlx.new" "$here/.sqlx"
echo "prepare: $(ls "$here/.sqlx" | wc -l) descriptions in host/engine/.sqlx"
