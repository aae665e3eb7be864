#!/usr/bin/env bash
# Of two functions for embeddings, one reads the order of the Vendi score and one does not.
#
# Package: vendi-score 0.0.3, `score_X` and `score_dual`
# Guess:   both take embeddings and an order q, and give the same score; the second is quicker
#          when there are more texts than dimensions.
# Happens: `score_X` takes q and computes order 1 with it, whatever it is. The score does not
#          change by a digit from q = 0.5 to infinity. `score_dual` gives the order asked for.
# Matters: the order says how much rare texts count. A table of orders shows four times the same
#          number, and a run with more texts, where one changes to the quicker function, shows a
#          drop in diversity that is none.
# Output:
#   q = 0.5  score_X 4.855  score_dual 6.147
#   q = 1    score_X 4.855  score_dual 4.855
#   q = 2    score_X 4.855  score_dual 3.801
#   q = inf  score_X 4.855  score_dual 2.409
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

rng = np.random.default_rng(0)
texts = rng.normal(size=(9, 16))[np.minimum(rng.geometric(0.4, size=300), 9) - 1]
seen = {}
for q in (0.5, 1, 2, "inf"):
    seen[q] = float(vendi.score_X(texts, q=q)), float(vendi.score_dual(texts, q=q))
    print(f"q = {q!s:3}  score_X {seen[q][0]:.3f}  score_dual {seen[q][1]:.3f}")
assert seen[0.5][0] == seen[1][0] == seen[2][0] == seen["inf"][0]
assert seen[0.5][1] > seen[1][1] > seen[2][1] > seen["inf"][1]
assert abs(seen[1][0] - seen[1][1]) < 1e-6
EOF
