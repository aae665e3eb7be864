#!/usr/bin/env bash
# A two-sample test rejects equal distributions when both sets are sorted.
#
# Package: kerneltests 0.0.1, `mmdagg`
# Guess:   a test of two independent sets sees sets. The order of the rows changes nothing but
#          the random draws, and at level 5 % equal distributions are rejected one time in
#          twenty.
# Happens: with as many rows in X as in Y the test flips a sign for each pair (row i of X, row i
#          of Y), so the rows are read as pairs. Sorted sets make pairs that differ in step with
#          their neighbours, and most draws of equal distributions are rejected. With one row
#          less in X it permutes all rows, and the order is without effect.
# Matters: files of texts are often sorted, by length or by prompt. Two samples of one model then
#          differ significantly, and no longer do once one text is missing.
# Output:
#   rejected of 20 pairs of equal distributions
#   100 and 100 rows, as drawn    1
#   100 and 100 rows, sorted      17
#   99 and 100 rows, sorted       1
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check kerneltests==0.0.1 numpy==2.4.6 scipy==1.17.1
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import numpy as np
from kt import two_sample


def rejected(rows, order):
    count = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        # The first column stands for the length of a text, the others for what it says.
        scale = np.array([1, 0.1, 0.1, 0.1])
        x, y = rng.normal(size=(rows, 4)) * scale, rng.normal(size=(100, 4)) * scale
        if order:
            x, y = x[np.argsort(x[:, 0])], y[np.argsort(y[:, 0])]
        count += bool(two_sample(x, y, method="mmdagg", alpha=0.05, B1=200, B2=200))
    return count


print("rejected of 20 pairs of equal distributions")
seen = {}
for rows, order in ((100, False), (100, True), (99, True)):
    seen[rows, order] = rejected(rows, order)
    print(f"{rows} and 100 rows, {'sorted' if order else 'as drawn'}".ljust(29), seen[rows, order])
assert seen[100, False] <= 3 and seen[99, True] <= 3
assert seen[100, True] >= 10
EOF
