#!/usr/bin/env bash
# Builds what a release has for this machine's target, into target/release-archives: an archive with the program, its manual
# page, completions, documentation and licences, a software bill of materials, and checksums of both.
# Usage: scripts/release.sh [--features FEATURES]   (FEATURES beside the default ones, such as cuda)
# Needs Rust and Python 3.11. Two runs of one tree on one machine give archives of the same bytes.
set -euo pipefail
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
# Paths of this machine have no place in what others run.
root=$(pwd)
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$root=/llmpr --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
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
python3 scripts/sbom.py "$target" ${features:+"cli,lm,parquet,png,$features"} >"$out/$name.cdx.json"
cp "$out/$name.cdx.json" "$folder/$name/llmpr.cdx.json"

# One order, one owner and one time: that of the last commit.
when=$(git log -1 --format=%ct 2>/dev/null || echo 0)
tar -C "$folder" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$when" -cf - "$name" | gzip -n -9 >"$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" "$name.cdx.json" >"$name.sha256")
"$folder/$name/llmpr" --version
ls -l "$out"
