#!/usr/bin/env bash
# The library builds with the Rust that csp/Cargo.toml names, on targets that the engine `slab` knows. No item of std and no crate
# asks for a newer one. If that toolchain is installed, it builds the library.
source "$(dirname "$0")/common.sh"

version=$(sed -n 's/^rust-version = "\(.*\)".*/\1/p' csp/Cargo.toml)
features=coroutines,threads,compute,hosts,serde,futures # all but `generator`, which is newer
echo "oldest Rust: $version"

# Of the items of std: clippy knows since when each is stable.
run cargo clippy --quiet -p csp-process -p csp-macros --features "csp-process/hosts" -- -D clippy::incompatible_msrv

# Of the crates: the Cargo.toml of each says it.
newer=0 crates=0
while read -r name crate_version; do
    for manifest in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$name-${crate_version#v}/Cargo.toml"; do
        asks=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$manifest")
        crates=$((crates + 1))
        if [[ $(printf '%s\n' "${asks:-1.0}" "$version" | sort -V | tail -1) != "$version" && $asks != "$version".* ]]; then
            echo "$name $crate_version asks for Rust $asks"
            newer=1
        fi
    done
done < <(cargo tree -p csp-process --no-default-features --features "$features" --edges normal,build --prefix none |
    grep -v ' (/' | cut -d' ' -f1,2 | sort -u)
echo "$crates crates looked at"
((crates > 20 && !newer))

if rustup toolchain list 2>/dev/null | grep -q "^$version"; then
    run cargo "+$version" check -p csp-process --no-default-features --features "$features"
else
    echo "SKIPPED: a build with Rust $version, because that toolchain is not installed"
fi
