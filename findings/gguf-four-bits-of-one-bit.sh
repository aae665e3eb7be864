#!/usr/bin/env bash
# Sixteen levels cannot hold the weights +1 and -1; eight can, and so can three.
#
# Package: gguf 0.19.0
# Guess:   weights that are all +s or -s carry one bit, so any four-bit format stores them
#          exactly.
# Happens: Q4_0 spends its levels from -8 to +7 and pins the largest weight of a block to -8, so
#          the opposite sign is cut at 7/8. Which sign that is depends on the first weight of the
#          block. MXFP4 and TQ1_0, with 16 levels and 3, are exact.
# Matters: a binary or ternary model converted to Q4_0 has weights of 1 and -0.875 in some blocks
#          and 0.875 and -1 in others. Its texts differ from the checkpoint's, although the
#          checkpoint has one bit a weight.
# Output:
#   Q4_0   block that starts with +1: [-0.875, 1.0]   with -1: [-1.0, 0.875]
#   Q4_1   block that starts with +1: [-1.0, 0.9995]   with -1: [-1.0, 0.9995]
#   MXFP4  block that starts with +1: [-1.0, 1.0]   with -1: [-1.0, 1.0]
#   TQ1_0  block that starts with +1: [-1.0, 1.0]   with -1: [-1.0, 1.0]
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

plus = np.tile(np.array([1, -1], dtype=np.float32), 128).reshape(1, 256)
seen = {}
for kind in (Type.Q4_0, Type.Q4_1, Type.MXFP4, Type.TQ1_0):
    levels = []
    for block in (plus, -plus):
        stored = quants.dequantize(quants.quantize(block, kind), kind)
        levels.append([round(float(v), 4) for v in np.unique(stored)])
    seen[kind.name] = levels
    print(f"{kind.name:6} block that starts with +1: {levels[0]}   with -1: {levels[1]}")
assert seen["Q4_0"] == [[-0.875, 1.0], [-1.0, 0.875]]
assert seen["MXFP4"] == seen["TQ1_0"] == [[-1.0, 1.0]] * 2
EOF
