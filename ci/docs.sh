#!/usr/bin/env bash
# The documentation builds without a warning: no link leads nowhere. The first is the one that docs.rs builds, which names the
# feature that an item needs.
source "$(dirname "$0")/common.sh"
export RUSTDOCFLAGS="-D warnings"
features=$(all_features csp csp-macros) # `ci/address.sh` has the other
RUSTC_BOOTSTRAP=1 RUSTDOCFLAGS+=" --cfg docsrs" run cargo doc --no-deps -p csp-process -p csp-macros --features "$features"
run cargo doc --no-deps -p csp-process -p csp-macros --features "$features" --document-private-items
