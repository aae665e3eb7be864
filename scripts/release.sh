#!/usr/bin/env bash
# Builds what a release has for this machine's target, into target/release-archives: an archive with the program, its manual
# page, completions, documentation and licences, a software bill of materials, and checksums of both.
# Usage: scripts/release.sh [--features FEATURES]   (FEATURES beside the default ones, such as cuda)
# Needs Rust and Python 3.11. One program is packed into the same bytes from every clone of a commit, wherever it lies and
# whatever the umask. SOURCE_DATE_EPOCH is the time of the files, else that of the commit.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
features=""
if [ "${1:-}" = "--features" ]; then
    features=$2
elif [ $# -gt 0 ]; then
    echo "usage: scripts/release.sh [--features FEATURES]" >&2
    exit 2
fi
target=$(rustc -vV | sed -n 's/^host: //p')
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
name=llmpr-$version-$target${features:+-${features//,/-}}
out=target/release-archives
# Paths of this machine have no place in what others run. Cargo parts the encoded flags by 0x1f, so that a path may hold a space.
root=$(pwd)
read -ra flags <<<"${RUSTFLAGS:-}"
flags+=("--remap-path-prefix=$root=/llmpr" "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo")
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS
cargo build --release --locked --bin llmpr ${features:+--features "$features"}
program=${CARGO_TARGET_DIR:-target}/release/llmpr

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/$name/completions" "$folder/$name/docs" "$out"
install -m 755 "$program" "$folder/$name/llmpr"
strip "$folder/$name/llmpr" 2>/dev/null || echo "no strip here: the program keeps its symbols"
"$program" man >"$folder/$name/llmpr.1"
for shell in bash elvish fish powershell zsh; do
    "$program" completions "$shell" >"$folder/$name/completions/llmpr.$shell"
done
cp README.md CHANGELOG.md CITATION.cff LICENSE-* "$folder/$name/"
cp docs/*.md docs/*.svg "$folder/$name/docs/"
python3 scripts/sbom.py "$target" ${features:+"cli,lm,parquet,png,$features"} >"$folder/$name/llmpr.cdx.json"

# One form, one order, one owner, one time and the same permissions; what is there already is replaced by a whole file.
when=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
tar -C "$folder" --format=gnu --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$when" -cf - "$name" |
    gzip -n -9 >"$folder/$name.tar.gz"
cp "$folder/$name/llmpr.cdx.json" "$folder/$name.cdx.json"
mv "$folder/$name.tar.gz" "$folder/$name.cdx.json" "$out/"
(cd "$out" && sha256sum "$name.tar.gz" "$name.cdx.json" >"$name.sha256")
"$folder/$name/llmpr" --version
ls -l "$out"
