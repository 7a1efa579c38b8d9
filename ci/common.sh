# Sourced by every script here: stops at the first failure, goes to the root of the workspace, shows what runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run() {
    printf '+'
    printf ' %q' "$@"
    printf '\n'
    "$@"
}
