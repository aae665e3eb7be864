#!/usr/bin/env bash
# Small weights survive in four bits and vanish in eight.
#
# Package: gguf 0.19.0
# Guess:   Q8_0 is more exact than Q4_0 for every tensor; formats that scale each block do not
#          care how large the weights are.
# Happens: the scale of a block is a float16. Q8_0 divides the largest weight by 127, Q4_0 by 8,
#          so the scale of Q8_0 underflows first: at weights near 2e-7 it is 0 and the whole
#          tensor is lost, while Q4_0 is off by a fifth. At weights near 2e-2 the order is as
#          guessed.
# Matters: deltas, adapters and layers whose norm was folded into a neighbour hold such weights.
#          The more careful quantisation removes them, and the loss shows only in the texts.
# Output:
#   weights near 2e-02  error Q8_0 0.5 %   Q4_0 8.6 %
#   weights near 2e-07  error Q8_0 100.0 %   Q4_0 20.3 %
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check gguf==0.19.0 numpy==2.4.6
cd "$dir"
"$dir/venv/bin/python" - <<'EOF'
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

weights = np.random.default_rng(0).normal(size=(64, 256)).astype(np.float32)
seen = {}
for scale in (2e-2, 2e-7):
    w = weights * np.float32(scale)
    error = {}
    for kind in (Type.Q8_0, Type.Q4_0):
        stored = quants.dequantize(quants.quantize(w, kind), kind)
        error[kind.name] = float(np.linalg.norm(stored.astype(float) - w) / np.linalg.norm(w.astype(float)))
    seen[scale] = error
    print(f"weights near {scale:.0e}  error Q8_0 {error['Q8_0']:.1%}   Q4_0 {error['Q4_0']:.1%}".replace("%", " %"))
assert seen[2e-2]["Q8_0"] < 0.01 < seen[2e-2]["Q4_0"]
assert seen[2e-7]["Q8_0"] == 1.0 and seen[2e-7]["Q4_0"] < 0.3
EOF
