#!/usr/bin/env bash
# Builds the Python wheel for any Linux on x86-64 from glibc 2.17 on, and the source distribution, into target/wheels.
# Needs Rust and Python with pip; zig, which links against the old glibc, comes from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q "maturin[zig]"
export PATH="$venv/bin:$PATH"
maturin build --release --zig --compatibility manylinux2014 -m python/Cargo.toml -o target/wheels
maturin sdist -m python/Cargo.toml -o target/wheels
ls -l target/wheels
