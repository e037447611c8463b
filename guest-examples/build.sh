#!/bin/sh
# Builds every guest example into out/<name>.wasm, the hostile ones into
# out/hostile/<name>.wasm, and prints their sizes.
#
# Nothing that is up to date is built again. Missing tools are installed by their
# usual installers, and a line says so: the compile target by rustup, Node.js and
# Python by apt-get, the JavaScript packages by npm.
set -eu

cd "$(dirname "$0")"

# The workspace keeps its own target directory, regardless of the environment:
# the components are looked for there. Flags meant for another target stay out.
unset CARGO_BUILD_TARGET CARGO_BUILD_TARGET_DIR RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
export CARGO_TARGET_DIR="$PWD/target"

TARGET=wasm32-wasip2

. ./install.sh

# Copies a component only when it changed, so that time stamps in out/ tell what is
# new, and in one step, so that no reader sees half a file.
publish() {
    cmp -s "$1" "$2" && return
    cp "$1" "$2.new"
    mv "$2.new" "$2"
}

size() {
    printf '%-22s %9d bytes\n' "$1" "$(wc -c <"out/$1.wasm")"
}

build_rust() {
    command -v cargo >/dev/null || die "cargo is missing: install Rust through rustup"
    # Only rustup can list what is installed; any other toolchain is trusted to have
    # the target, and cargo says so if it has not.
    if command -v rustup >/dev/null && ! rustup target list --installed | grep -qx "$TARGET"; then
        say "installing the compile target $TARGET"
        rustup target add "$TARGET"
    fi
    cargo build --release --locked --workspace --target "$TARGET"

    for manifest in */Cargo.toml hostile/*/Cargo.toml; do
        path=$(dirname "$manifest")
        # Cargo names the file after the library, which has no dashes.
        publish "target/$TARGET/release/$(basename "$path" | tr - _).wasm" "out/$path.wasm"
        size "$path"
    done
}

build_word_count() {
    if is_stale out/word-count.wasm word-count ../wit; then
        if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
            install_packages "word-count needs Node.js 18 or newer with npm" nodejs npm
        fi
        # npm leaves this record once everything is in place. One older than
        # the lock file lists other versions.
        if is_stale word-count/node_modules/.package-lock.json word-count/package-lock.json; then
            say "installing the packages of word-count with npm"
            (cd word-count && npm ci --silent --no-audit --no-fund)
        fi
        (cd word-count && npm run --silent build >/dev/null)
    fi
    size word-count
}

# Nothing to build; but the test that runs it needs Python.
check_native_worker() {
    if ! command -v python3 >/dev/null; then
        install_packages "native-worker needs Python 3.9 or newer" python3
    fi
    python3 - native-worker/worker.py <<'END' || die "native-worker needs Python 3.9 or newer"
import ast, sys
assert sys.version_info >= (3, 9), sys.version
ast.parse(open(sys.argv[1], encoding="utf-8").read())
END
}

mkdir -p out/hostile
build_rust
build_word_count
check_native_worker
