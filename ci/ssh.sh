#!/usr/bin/env bash
# Runs processes on hosts that a real `ssh` and `sshd` reach. Each connection has an `sshd` of its own, with its own keys, and no port.
source "$(dirname "$0")/common.sh"

[[ $(uname -s) == Linux ]] || skip "processes on hosts exist on Linux only"
for program in ssh ssh-keygen /usr/sbin/sshd; do
    command -v "$program" >/dev/null || { need openssh-server openssh-client && break; }
done
export CSP_NEEDS_SSHD=1
limit 15m
# A plain `cargo test` has built this program.
run cargo test --test subprocess -- ssh::
