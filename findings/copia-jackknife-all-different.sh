#!/usr/bin/env bash
# Texts that are all different leave nothing unseen, by the jackknife.
#
# Package: copia 0.1.4, `diversity` with method="jackknife"
# Guess:   the more kinds were seen but once, the more there must be unseen: at first order a hundred
#          different texts speak for about two hundred kinds.
# Happens: it says a hundred, the number seen, and calls that the first order. One text seen twice,
#          and it says two hundred. Chao1 of the same package says thousands in both cases.
# Matters: all different is what a good model writes. Where diversity is greatest, the estimate of
#          what was not seen is zero, and half of what it is one repetition later.
# Output:
#   100 different texts             jackknife 100   Chao1 5000
#   99 different, one of them twice jackknife 197   Chao1 4853
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check copia==0.1.4 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" -W ignore - <<'EOF'
import numpy as np
from copia.richness import diversity

seen = {}
for name, counts in (("100 different texts", [1] * 100), ("99 different, one of them twice", [1] * 98 + [2])):
    seen[name] = [float(diversity(np.array(counts), method=method)) for method in ("jackknife", "chao1")]
    print(f"{name:31} jackknife {seen[name][0]:.0f}   Chao1 {seen[name][1]:.0f}")
different, once_twice = seen.values()
assert different[0] == 100
assert once_twice[0] > 190
assert min(different[1], once_twice[1]) > 4000
EOF
