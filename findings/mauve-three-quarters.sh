#!/usr/bin/env bash
# A set compared with itself has a MAUVE of 0.75, if its clusters are equally large.
#
# Package: mauve-text 0.4.0 with numpy 2.4.6
# Guess:   equal sets score 1, whatever their clusters.
# Happens: where both histograms are the same, all points of the curve between its ends should be
#          (1, 1). Usually rounding makes them differ in the last digit. With 2, 4 or 8 equal
#          clusters nothing is rounded, all coordinates are equal, and the sort that precedes the
#          area may put an end, (1, 0), beside the other, (0, 1): that half of the area is 0.5.
#          Which order ties get is up to numpy and the processor: at the usual 25 points it is
#          0.75 with AVX2 or AVX-512, and 1 without.
# Matters: balanced classes are how test sets are made. A perfect model scores 0.75 on one machine
#          and 1 on another, and one that is off by a text scores 1 on both.
# Output:
#   clusters of 10 10        0.75 0.75
#   clusters of 10 10 10 10  0.75 0.75
#   clusters of 11 9        1.0 1.0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check mauve-text==0.4.0 faiss-cpu==1.15.1 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import numpy as np
from mauve import compute_mauve


def texts(sizes):
    noise = np.random.default_rng(0).normal(size=(sum(sizes), len(sizes)))
    return np.repeat(np.eye(len(sizes)), sizes, axis=0) + 0.01 * noise


def mauve(sizes, points):
    cloud = texts(sizes)
    out = compute_mauve(
        p_features=cloud, q_features=cloud.copy(), divergence_curve_discretization_size=points
    )
    return round(float(out.mauve), 3)


seen = {}
for sizes in ((10, 10), (10, 10, 10, 10), (11, 9)):
    seen[sizes] = mauve(sizes, 12), mauve(sizes, 25)
    print("clusters of", *sizes, "".ljust(12 - 3 * len(sizes)), *seen[sizes])
assert seen[10, 10][0] == seen[10, 10, 10, 10][0] == 0.75
assert min(seen[11, 9]) == 1
EOF
