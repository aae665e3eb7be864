#!/usr/bin/env bash
# A thousand copies of one text count as a dozen texts.
#
# Package: vendi-score 0.0.3, `score_K` with q = 0.1
# Guess:   the Vendi score is the effective number of different texts, whatever its order q.
#          Copies of one text score 1.
# Happens: the score is a sum over the eigenvalues of the similarity matrix that are above 0. Of
#          a thousand copies one eigenvalue is 1 and about half of the others are not 0 but 1e-17
#          or so. To the power 0.1 each of those counts 0.02. The score grows with the number of
#          copies; at q = 1 and above it is 1.
# Matters: small orders are the ones that see rare texts. With them the score of a model that
#          always says the same depends on how often it was asked, and on rounding.
# Output:
#   copies of one text      10    100   1000
#   score at q = 0.1       1.1    2.2   12.9
#   score at q = 1         1.0    1.0    1.0
#   score at q = 2         1.0    1.0    1.0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check vendi-score==0.0.3 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import warnings

warnings.simplefilter("ignore")
import numpy as np
from vendi_score import vendi

text = np.random.default_rng(0).normal(size=(1, 64))
text /= np.linalg.norm(text)
sizes = (10, 100, 1000)
print("copies of one text ", *(f"{n:6}" for n in sizes))
seen = {}
for q in (0.1, 1, 2):
    for n in sizes:
        copies = np.repeat(text, n, axis=0)
        seen[q, n] = float(vendi.score_K(copies @ copies.T, q=q))
    print(f"score at q = {q:<6}", *(f"{seen[q, n]:6.1f}" for n in sizes))
assert all(abs(seen[q, n] - 1) < 0.01 for q in (1, 2) for n in sizes)
assert seen[0.1, 1000] > 4 and seen[0.1, 1000] > 2 * seen[0.1, 100]
EOF
