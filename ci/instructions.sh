#!/usr/bin/env bash
# Counts the instructions of each kind of step in an optimised build, with callgrind. It runs by hand, because no number fails it.
# A number is the difference of two runs, so a program's start and end do not count. Given a commit, it counts that too and prints
# the ratio. `CSP_WORKS` is a pattern for the names: `CSP_WORKS=alt ci/instructions.sh main`. `CSP_FEATURES` has the library's
# features for this tree, with commas: `CSP_FEATURES=cores ci/instructions.sh HEAD` compares with and without. One core is in use.
source "$(dirname "$0")/common.sh"

command -v valgrind >/dev/null || run apt-get install -y --no-install-recommends valgrind

# The thread that looks for deadlocks is off, because the clock decides how often it looks.
export CSP_WATCH=off CSP_CORES=1
readonly FEW=10000 MANY=30000
readonly here=$PWD/${CARGO_TARGET_DIR:-target}/instructions
mkdir -p "$here"

# build TREE NAME FEATURES: builds the program with the library of TREE, and nothing else of the workspace. Prints its path.
build() {
    # The library's package was called `csp` once, and is called `csp-process` now.
    local package=$here/$2 name features=${3:+\"${3//,/\", \"}\"}
    name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$1/csp/Cargo.toml" | head -1)
    mkdir -p "$package"
    cat >"$package/Cargo.toml" <<END
[package]
name = "instructions"
version = "0.0.0"
edition = "2024"

[[bin]]
name = "instructions-$2"
path = "$PWD/benches/instructions.rs"

[dependencies]
csp = { path = "$1/csp", package = "$name", features = [$features] }

[profile.release]
debug = "line-tables-only"

[workspace]
END
    cp "$1/Cargo.lock" "$package/Cargo.lock"
    cargo build --quiet --release --manifest-path "$package/Cargo.toml" --target-dir "$here/target" >&2
    echo "$here/target/release/instructions-$2"
}

# count PROGRAM WORK STEPS
count() {
    local output
    output=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1) || {
        echo "$output" >&2
        return 1
    }
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' <<<"$output"
}

# each PROGRAM WORK: instructions of one step.
each() {
    local few many
    few=$(count "$1" "$2" "$FEW")
    many=$(count "$1" "$2" "$MANY")
    awk -v i=$((many - few)) -v n=$((MANY - FEW)) 'BEGIN { printf "%.1f", i / n }'
}

program=$(build "$PWD" now "${CSP_FEATURES-}")
base=
if (($# > 0)); then
    tree=$(mktemp -d)
    trap 'git worktree remove --force "$tree"' EXIT
    git worktree add --quiet --detach "$tree" "$1"
    base=$(build "$tree" base "")
fi

format='%-40s %10s %10s %8s\n'
printf "$format" "instructions" "now" "${1-}" "${base:+ratio}"
number=0
while read -r name; do
    if [[ $name =~ ${CSP_WORKS-} ]]; then
        now=$(each "$program" "$number")
        before='' ratio=''
        if [[ -n $base ]]; then
            before=$(each "$base" "$number")
            ratio=$(awk -v a="$now" -v b="$before" 'BEGIN { printf "%.4f", a / b }')
        fi
        printf "$format" "$name" "$now" "$before" "$ratio"
    fi
    number=$((number + 1))
done < <("$program")
