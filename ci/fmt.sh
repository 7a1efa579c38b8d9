#!/usr/bin/env bash
# Every file is formatted as rustfmt.toml says.
source "$(dirname "$0")/common.sh"
run cargo fmt --all --check
