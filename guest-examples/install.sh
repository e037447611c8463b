# For the scripts here: what they need is installed by its usual installer, and a line
# says so.

say() {
    echo "${0##*/}: $*" >&2
}

die() {
    say "$*"
    exit 1
}

# Installs packages with apt-get: install_packages NEED PACKAGE…
install_packages() {
    need=$1
    shift
    if ! command -v apt-get >/dev/null; then
        die "$need: install it"
    elif [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null; then
        as_root=sudo
    else
        die "$need: install the packages $*"
    fi
    say "installing $* with apt-get"
    $as_root apt-get update -q
    $as_root apt-get install -q -y --no-install-recommends "$@"
}

# True when the first path is missing, or older than a file at or below one of
# the others.
is_stale() {
    made=$1
    shift
    [ ! -e "$made" ] || [ -n "$(find "$@" -name node_modules -prune -o -type f -newer "$made" -print)" ]
}

# True if there is a Python that makes virtual environments and is new enough.
has_python() {
    python3 -c 'import ensurepip, sys; assert sys.version_info >= (3, 11)' 2>/dev/null
}
