#!/usr/bin/env bash
# Every two of the library's features build together without a warning, or say which backend is missing. So do all features, and none.
# A process that names a backend which is missing is an error there, of the compiler or of the process.
source "$(dirname "$0")/common.sh"

# The lines under [features], except `default`, which only names others.
mapfile -t features < <(sed -n '/^\[features\]/,/^\[/s/^\([a-z_-]*\) *=.*/\1/p' csp/Cargo.toml | grep -vx default)
echo "features: ${features[*]}"

wrong=0
for ((set = 0; set < 1 << ${#features[@]}; set++)); do
    chosen=()
    for i in "${!features[@]}"; do
        ((set >> i & 1)) && chosen+=("${features[i]}")
    done
    ((${#chosen[@]} <= 2 || ${#chosen[@]} == ${#features[@]})) || continue
    list=$(IFS=,; echo "${chosen[*]-}")
    command=(cargo clippy --quiet -p csp-process --lib --no-default-features --features "$list" -- -D warnings)
    if [[ ,$list, =~ ,(cores|coroutines|generator|subprocess|threads), ]]; then
        run "${command[@]}" || wrong=1
    else
        echo "without a backend:"
        if message=$(run "${command[@]}" 2>&1); then
            echo "built with nothing to run a process on: '$list'"
            wrong=1
        elif errors=$(grep '^error' <<<"$message" | grep -v 'could not compile') &&
            grep -q '`coroutines`' <<<"$errors" && grep -q '`threads`' <<<"$errors" &&
            (($(wc -l <<<"$errors") == 1)); then
            echo "$errors"
        else
            echo "not the one clear error:"
            echo "$message"
            wrong=1
        fi
    fi
done

for backends in coroutines threads coroutines,threads; do
    run cargo test --quiet -p csp-tests-backends --no-default-features --features "$backends" || wrong=1
done
exit $wrong
