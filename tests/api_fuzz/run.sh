#!/bin/sh
# Sends a real host requests that are made from its own description, and looks at the
# answers: no fault, no status, body or content type that the description does not have,
# no request served that it forbids. Three hosts one after the other, each on an empty
# data directory of its own: one that asks for no credential, one that does and gets an
# admin's key, and that one without a key and with a wrong one, which must refuse it all.
#
#   FLOWHOST_API_FUZZ_EXAMPLES  requests of each kind for each operation [default: 200]
#   FLOWHOST_API_FUZZ_PHASES    examples,coverage,fuzzing,stateful [default: all]
#   FLOWHOST_API_FUZZ_ONLY      a pattern of operation ids [default: all operations]
#   FLOWHOST_SEED               repeats a run
#   FLOWHOST                    the binary [default: the debug build]
set -eu

cd "$(dirname "$0")"

. ../../guest-examples/install.sh

HERE=$PWD
TOP=$(cd ../.. && pwd)
VENV=$TOP/target/api-fuzz/venv
BINARY=${FLOWHOST:-${CARGO_TARGET_DIR:-$TOP/target}/debug/flowhost}
EXAMPLES=${FLOWHOST_API_FUZZ_EXAMPLES:-200}
PHASES=${FLOWHOST_API_FUZZ_PHASES:-examples,coverage,fuzzing,stateful}
ONLY=${FLOWHOST_API_FUZZ_ONLY:-.}
SEED=${FLOWHOST_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
CHECKS=status_code_conformance,content_type_conformance,response_headers_conformance
CHECKS=$CHECKS,response_schema_conformance,negative_data_rejection,missing_required_header
CHECKS=$CHECKS,unsupported_method,allow_header_conformance
CHECKS=$CHECKS,faults_are_no_answers,problems_say_their_status,valid_requests_are_understood

[ -x "$BINARY" ] || die "no $BINARY: build it"

scratch=$(mktemp -d)
# The server of the database runs as another user if this one is root.
chmod 711 "$scratch"
host=
stop_host() {
    [ -z "$host" ] || kill "$host" 2>/dev/null || true
    [ -z "$host" ] || wait "$host" || true
    host=
}
trap 'stop_host; rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# Only what is given here configures the hosts.
unset DATABASE_URL $(env | sed -n 's|^\(FLOWHOST_[A-Z0-9_]*\)=.*|\1|p' | grep -v ^FLOWHOST_PG_)
export NO_COLOR=1 FLOWHOST_LOG=warn

# Starts a host and waits until it is ready: start_host NAME ARGUMENT…
start_host() {
    name=$1
    shift
    "$BINARY" serve --data-dir "$scratch/$name" --cache-dir "$scratch/cache" \
        --listen 127.0.0.1:0 --slots 4 "$@" >"$scratch/$name.log" 2>&1 &
    host=$!
    for _ in $(seq 600); do
        url=$(sed -n 's/.* is ready at \([^ ]*\) .*/\1/p' "$scratch/$name.log")
        [ -z "$url" ] || return 0
        kill -0 "$host" 2>/dev/null || break
        sleep 0.1
    done
    cat "$scratch/$name.log" >&2
    die "the host does not start"
}

failed=
# Runs the fuzzer against the host: fuzz TITLE MODE KEY OPTION…
fuzz() {
    title=$1 mode=$2 key=$3
    shift 3
    echo "== $title; FLOWHOST_SEED=$SEED repeats it"
    [ -z "$key" ] || set -- --header "Authorization: Bearer $key" "$@"
    # It remembers what failed below its directory, and would begin the next run with that.
    (cd "$scratch" && env SCHEMATHESIS_HOOKS="$HERE/hooks.py" PYTHONDONTWRITEBYTECODE=1 FLOWHOST_SEED="$SEED" \
        FLOWHOST_API_FUZZ_URL="$url" FLOWHOST_API_FUZZ_KEY="$key" \
        FLOWHOST_API_FUZZ_MODE="$mode" \
        FLOWHOST_API_FUZZ_COMPONENT="$TOP/guest-examples/out/echo.wasm" \
        "$VENV/bin/schemathesis" --config-file "$HERE/schemathesis.toml" run "$url/openapi.json" \
        --include-operation-id-regex "$ONLY" --seed "$SEED" "$@") || failed="$failed, $title"
    kill -0 "$host" 2>/dev/null || die "the host ended: $(tail -n 20 "$scratch/$name.log")"
    if grep -n 'ERROR\|panicked' "$scratch/$name.log"; then
        failed="$failed, the log of the host of $title"
    fi
}

./install.sh

start_host open
fuzz "without credentials" open "" --checks "$CHECKS" --phases "$PHASES" --max-examples "$EXAMPLES"
stop_host

key=$("$BINARY" token bootstrap --data-dir "$scratch/closed" 2>"$scratch/bootstrap.log") ||
    die "no key: $(cat "$scratch/bootstrap.log")"
start_host closed --require-credentials
fuzz "with an admin's key" admin "$key" --checks "$CHECKS,ignored_auth" --phases "$PHASES" --max-examples "$EXAMPLES"
few=$((EXAMPLES / 10 + 1))
wrong=fh_$(printf '%051d' 0)
fuzz "without a key" refused "" --checks "$CHECKS,strangers_are_refused" --phases fuzzing --max-examples "$few"
fuzz "with a wrong key" refused "$wrong" --checks "$CHECKS,strangers_are_refused" --phases fuzzing --max-examples "$few"
stop_host

[ -z "$failed" ] || die "failed: ${failed#, }; FLOWHOST_SEED=$SEED repeats it"
