# Sourced by every script here: stops at the first failure, goes to the root of the workspace, shows what runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run() {
    printf '+'
    printf ' %q' "$@"
    printf '\n'
    "$@"
}

# Ends the script well, and says why it checked nothing. `.ci/run` lists the reasons in its last lines.
skip() {
    printf 'SKIPPED: %s\n' "$*" >&2
    printf '%s: %s\n' "$(basename "$0")" "$*" >>"${CI_SKIPPED:-/dev/null}"
    exit 0
}

# Installs packages of Debian, or skips.
need() {
    [[ $EUID == 0 ]] && command -v apt-get >/dev/null || skip "the packages $* are missing"
    export DEBIAN_FRONTEND=noninteractive
    run timeout 5m apt-get update -qq || skip "\`apt-get update\` failed, and the packages $* are missing"
    run timeout 5m apt-get install -y -qq --no-install-recommends "$@" || skip "\`apt-get\` cannot install $*"
}

# Lets `cargo test` run each test program by the words behind the limit, if there are any, and ends a program that takes longer.
limit() {
    local variable
    variable=CARGO_TARGET_$(rustc -vV | sed -n 's/^host: //p' | tr a-z- A-Z_)_RUNNER
    export "$variable=timeout --kill-after=10s $*"
}

# all_features MEMBER...: the features of these folders, as cargo takes them, except `address`. Its engine is 209 crates, which
# `ci/address.sh` alone builds.
all_features() {
    local member
    for member in "$@"; do
        awk '/^name = / && !name { name = $3; gsub(/"/, "", name) }
            /^\[/ { inside = $0 == "[features]" }
            inside && /^[a-z_-]+ *= */ && $1 != "address" { printf "%s/%s,", name, $1 }' "$member/Cargo.toml"
    done
}
