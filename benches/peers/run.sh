#!/usr/bin/env bash
# Times the command a person types against whole Python processes that call the peers, on the same features, in turns
# and on two threads. Rows of a table on stdout, values of both sides on stderr.
# Usage: benches/peers/run.sh [FOLDER [ROUNDS [WORDS]]]   (FOLDER keeps the virtual environment and the features;
# only jobs whose line holds WORDS are run)
# WITH_TORCH=1 installs torch and transformers, too: mauve-text imports them where they are, as it must to embed
# texts, and its whole process takes longer for it.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-target/peers}
mkdir -p "$folder"
if [ ! -x "$folder/venv/bin/python" ]; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install -q prdc==0.2 mauve-text==0.4.0 vendi-score==0.0.3
fi
if [ -n "${WITH_TORCH:-}" ]; then
    "$folder/venv/bin/pip" install -q torch transformers
fi
cargo build --release --bin llmpr
export RAYON_NUM_THREADS=2 OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2
exec "$folder/venv/bin/python" benches/peers/peers.py \
    "${CARGO_TARGET_DIR:-target}/release/llmpr" "$folder" "${2:-3}" "${3:-}"
