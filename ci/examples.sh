#!/usr/bin/env bash
# Each example runs, in small, on coroutines and on threads, and prints what it should. It is optimised on coroutines. On threads it is not,
# because the build takes 30 s then, and 114 s otherwise.
source "$(dirname "$0")/common.sh"

target=${CARGO_TARGET_DIR:-target}
picture=$(mktemp --suffix .png)
log=$(mktemp)
stand_ins=$(mktemp -d)
words=$(awk '{ words += NF } END { print words " words in " NR " lines" }' README.md)
trap 'rm -rf "$picture" "$log" "$stand_ins"' EXIT

fail() {
    echo "$*" >&2
    exit 1
}

# expect PATTERN COMMAND...: a line of the command's output matches the extended regular expression.
expect() {
    local pattern=$1 output
    shift
    output=$(run "$@")
    echo "$output"
    grep -Eq -- "$pattern" <<<"$output" || fail "no line like: $pattern"
}

# hear LINE FILE_DESCRIPTOR: the line comes.
hear() {
    local line
    while read -r -t 60 -u "$2" line; do [[ $line != "$1" ]] || return 0; done
    fail "never said: $1"
}

# Two clients talk by the chat server, and a signal ends it.
chat() {
    local server port='' ann bob
    : >"$log" # an earlier server has said its port there
    "$programs/chat" --port 0 >"$log" &
    server=$!
    until port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$log") && [[ $port ]]; do
        kill -0 "$server" || fail "the chat server did not start"
        sleep 0.1
    done
    exec {ann}<>"/dev/tcp/127.0.0.1/$port" {bob}<>"/dev/tcp/127.0.0.1/$port"
    echo ann >&"$ann" && hear "* ann has come" "$ann"
    echo bob >&"$bob" && hear "* bob has come" "$ann"
    echo hello >&"$bob" && hear "bob: hello" "$ann"
    kill -INT "$server"
    wait "$server" || fail "the chat server failed"
    expect '^2 guests were here$' cat "$log"
    exec {ann}>&- {bob}>&-
}

# on_each BACKEND: BACKEND is commstime's name for it. The examples are in the folder $programs.
on_each() {
    local backend=$1 command no
    echo "== ${backend}s"
    expect '^100 of 100 jobs done once, 10 workers replaced$' "$programs/pool" --on "${backend,,}"
    expect '^96 of 100 jobs done, 4 workers replaced$' "$programs/supervised" --on "${backend,,}"
    expect "^$backend: [0-9.]+ ns per communication\$" "$programs/commstime" --seconds 0.1
    expect '^4000 hops round 8 processes' "$programs/token_ring" --processes 8 --cycles 500
    expect '^2 3 5 7 11 .* 229 $' "$programs/sieve" --primes 50
    expect '^4181$' "$programs/fibonacci" --count 20
    expect '^300 x 200 pixels in ' "$programs/mandelbrot" --width 300 --output "$picture"
    [[ $(head -c 8 "$picture" | od -An -tx1) == " 89 50 4e 47 0d 0a 1a 0a" ]] || fail "not a PNG"
    expect '^500 readers read numbers that add up to 124750$' "$programs/million" --readers 500
    expect '^all five have eaten 3 times$' "$programs/dining_philosophers" --meals 3
    expect '^deadlock of 12 processes: main/philosopher' "$programs/dining_philosophers" --deadlock
    expect '^  main/philosopher\[4\]: blocked at examples/dining_philosophers.rs:' \
        bash -c "'$programs/dining_philosophers' --deadlock 2>&1"
    expect '^fair: +abcabcabcab$' "$programs/fair_multiplexer" --inputs 3 --letters 4
    expect '^by priority: aaaabbbbccc$' "$programs/fair_multiplexer" --inputs 3 --letters 4
    expect '^101 readings came in, [1-9][0-9]* went out$' \
        "$programs/regulator" --fast 100 --slow 1 --period 20
    expect '^2 deliveries and [0-9]+ talks with three elves$' "$programs/santa_claus" --years 2
    expect '^121 cells are alive after 100 generations$' \
        "$programs/game_of_life" --generations 100 --bands 7
    expect '^64 x 64 pixels in ' "$programs/parallel_image" --size 64 --output "$picture"
    [[ $(head -c 8 "$picture" | od -An -tx1) == " 89 50 4e 47 0d 0a 1a 0a" ]] || fail "not a PNG"
    expect "^$words of README.md\$" "$programs/word_count" README.md
    expect '^bidder 500 of 500 pays (499|500) after [0-9]+ bids$' "$programs/auction" --bidders 500
    expect "^$(find examples/guide -type f | wc -l) files\$" "$programs/search" --shards 3 examples/guide
    # A file or folder that cannot be opened is named. This one would lie in a file.
    no=ci/common.sh/file
    for command in "word_count $no" "search $no" "mandelbrot --width 9 --output $no" \
        "parallel_image --size 16 --output $no"; do
        expect '^Error: .*ci/common\.sh' bash -c "'$programs'/$command 2>&1 || true"
    done
    expect '^100 jobs: 75 done, 25 given up, 225 attempts$' "$programs/job_queue" --on "${backend,,}"
    chat
}

programs=$target/release/examples
run cargo build --release --examples
expect '^π ≈ 3\.14' cargo run --release --example monte_carlo_pi
on_each Coroutine
for example in examples/*.rs examples/search; do
    [[ $example != examples/meeting.rs ]] || continue # ci/address.sh runs it
    expect '^Usage: ' "$programs/$(basename "$example" .rs)" --help >/dev/null
done

echo "== OS processes"
expect '^π ≈ 3\.14' "$programs/monte_carlo_pi" --on subprocess --bags 200
expect '^Subprocess: [0-9.]+ ns per communication$' "$programs/commstime" --seconds 0.1
expect '^100 of 100 jobs done once, 10 workers replaced$' "$programs/pool"
expect '^96 of 100 jobs done, 4 workers replaced$' "$programs/supervised"
expect '^100 jobs: 75 done, 25 given up, 225 attempts$' "$programs/job_queue" --on subprocess
expect 'worker. was lost: its OS process has ended: signal: 6' "$programs/pool"
expect "^$words of README.md\$" "$programs/word_count" --on subprocess README.md

echo "== hosts"
# These stand in for `ssh` and for SLURM's `srun`: they run the command here.
printf '%s\n' '#!/bin/sh' 'while [ "$1" != -- ]; do shift; done; exec sh -c "$3"' >"$stand_ins/ssh"
printf '%s\n' '#!/bin/sh' 'shift 4; exec "$@"' >"$stand_ins/srun"
chmod +x "$stand_ins"/*
there=(env HOME="$stand_ins" PATH="$stand_ins:$PATH")
expect '^π ≈ 3\.14' "${there[@]}" "$programs/monte_carlo_pi" --hosts node1,node2 --workers 4 --bags 200
expect '^π ≈ 3\.14' "${there[@]}" CSP_HOSTS='node1 node2*2' "$programs/monte_carlo_pi" --listed-hosts --workers 3 --bags 200
expect '^π ≈ 3\.14' "${there[@]}" CSP_HOSTS= SLURM_JOB_NODELIST='n[1-2]' \
    "$programs/monte_carlo_pi" --listed-hosts --workers 2 --bags 200
expect "^$words of README.md\$" "${there[@]}" "$programs/word_count" --hosts node1,node2 README.md
expect 'the name of a host can.t begin with' \
    bash -c "'$programs/monte_carlo_pi' --hosts=-oProxyCommand=false --workers 1 2>&1 || true"

# A feature that any member of the workspace enables is on for all members, so one member could bring coroutines back.
threads=(--no-default-features --features threads)
run cargo tree --edges normal,dev --prefix none "${threads[@]}" | grep -E '^(generator|ipc-channel) ' &&
    fail "coroutines or OS processes are compiled in where only threads were asked for"
programs=$target/debug/examples
run cargo build --examples "${threads[@]}"
expect '^π ≈ 3\.14' "$programs/monte_carlo_pi" --bags 200
on_each Thread
# On coroutines `cargo test` runs these: the web server under load, and ended by a client, the chat server with a crowd, the queue with work
# that fails in each way, and the service of axum, by requests over sockets.
run cargo test -p csp-examples --test web_server --test chat --test echo --test job_queue --test axum_service "${threads[@]}"
