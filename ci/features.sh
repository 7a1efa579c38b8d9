#!/usr/bin/env bash
# Every two of the library's features build together without a warning, or say which backend is missing. So do all features, and none.
# A process that names a backend which is missing is an error there, of the compiler or of the process.
source "$(dirname "$0")/common.sh"

# The lines under [features], except `default`, which only names others, and `address`, which `ci/address.sh` builds.
mapfile -t features < <(sed -n '/^\[features\]/,/^\[/s/^\([a-z_-]*\) *=.*/\1/p' csp/Cargo.toml | grep -vxE 'default|address')
echo "features: ${features[*]}"

# Checks the sets whose number is LANE modulo 2. The compiler uses one core for one crate, so two lanes run side by side, each with a folder of its own.
lane() {
    local lane=$1 wrong=0 set list command message errors
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/features/$lane
    for set in "${!sets[@]}"; do
        ((set % 2 == lane)) || continue
        list=${sets[set]}
        command=(cargo clippy --quiet -p csp-process --lib --no-default-features --features "$list" -- -D warnings)
        if [[ ,$list, =~ ,(cores|coroutines|generator|hosts|subprocess|threads), ]]; then
            run "${command[@]}" || wrong=1
        elif message=$(run "${command[@]}" 2>&1); then
            echo "built with nothing to run a process on: '$list'"
            wrong=1
        elif errors=$(grep '^error' <<<"$message" | grep -v 'could not compile') &&
            grep -q '`coroutines`' <<<"$errors" && grep -q '`threads`' <<<"$errors" &&
            (($(wc -l <<<"$errors") == 1)); then
            echo "without a backend: '$list': $errors"
        else
            printf 'not the one clear error:\n%s\n' "$message"
            wrong=1
        fi
    done
    return $wrong
}

# all_of FEATURE...: the features with those that they enable, sorted.
all_of() {
    local known='' now=" $* " feature
    while [[ $known != "$now" ]]; do
        known=$now
        for feature in $known; do now+="${enables[$feature]} "; done
        now=" $(tr ' ' '\n' <<<"$now" | sort -u | xargs) "
    done
    echo "$now"
}

declare -A enables is_chosen
for feature in "${features[@]}"; do
    enables[$feature]=$(sed -n "/^$feature = /,/]/{p;/]/q}" csp/Cargo.toml | { grep -o '"[a-z]*"' || true; } | tr -d '"' | xargs)
done
sets=()
for ((set = 0; set < 1 << ${#features[@]}; set++)); do
    chosen=()
    for i in "${!features[@]}"; do
        ((set >> i & 1)) && chosen+=("${features[i]}")
    done
    ((${#chosen[@]} <= 2 || ${#chosen[@]} == ${#features[@]})) || continue
    all=$(all_of "${chosen[@]-}")
    [[ -z ${is_chosen[$all]-} ]] || continue # the same build
    is_chosen[$all]=1
    sets+=("$(IFS=,; echo "${chosen[*]-}")")
done
echo "${#sets[@]} sets"

wrong=0
lane 0 &
lane 1 || wrong=1
wait $! || wrong=1

for backends in coroutines threads coroutines,threads; do
    run cargo test --quiet -p csp-tests-backends --no-default-features --features "$backends" || wrong=1
done
exit $wrong
