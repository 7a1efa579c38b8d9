#!/usr/bin/env bash
# The two crates can be published: each package builds from its own files alone.
source "$(dirname "$0")/common.sh"
run cargo package --quiet -p csp-macros -p csp-process --allow-dirty
