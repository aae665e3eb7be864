#!/usr/bin/env bash
# A set compared with itself scores 0 in all four measures once each text occurs k + 1 times.
#
# Package: prdc 0.2
# Guess:   two equal sets have precision, recall, density and coverage 1, whatever is in them;
#          copies could only raise the scores.
# Happens: with k = 5 and six copies of each text, the k-th nearest other text lies at distance 0,
#          and a text counts as inside only when it is strictly nearer than that. All four scores
#          are 0. With five copies all four are 1.
# Matters: models at low temperature repeat themselves. Their scores do not fall slowly as copies
#          pile up; they drop to 0 at one count, and that of the reference against itself does
#          too.
# Output:
#   1 copies  precision 1.0  recall 1.0  density 1.0  coverage 1.0
#   5 copies  precision 1.0  recall 1.0  density 1.0  coverage 1.0
#   6 copies  precision 0.0  recall 0.0  density 0.0  coverage 0.0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check prdc==0.2 numpy==2.4.6 scikit-learn==1.9.1
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import contextlib, io
import numpy as np
from prdc import compute_prdc

texts = np.random.default_rng(0).normal(size=(100, 32))
seen = {}
for copies in (1, 5, 6):
    cloud = np.repeat(texts, copies, axis=0)
    with contextlib.redirect_stdout(io.StringIO()):
        scores = compute_prdc(cloud, cloud.copy(), nearest_k=5)
    seen[copies] = {name: round(float(value), 3) for name, value in scores.items()}
    print(copies, "copies ", "  ".join(f"{name} {value}" for name, value in seen[copies].items()))
assert set(seen[1].values()) == set(seen[5].values()) == {1}
assert set(seen[6].values()) == {0}
EOF
