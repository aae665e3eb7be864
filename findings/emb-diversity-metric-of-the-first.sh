#!/usr/bin/env bash
# Of three distances written as lambdas, all three results are the first one's.
#
# Package: emb-diversity 0.1.0, `mean_pw_dist` with a function as metric
# Guess:   a measure called with another function computes that function.
# Happens: pairwise distances are kept in memory and on disk under the content of the vectors and
#          the printed form of the metric. A function prints as its name and its address, and a
#          lambda made in the next turn of a loop takes the address that the last one left. All
#          turns return the distances of the first. By name (`minkowski`, p = 1, 2, 4) the
#          results are right.
# Matters: loops over metrics are how one chooses a metric. The results agree to the last digit,
#          which reads as a finding: that the choice does not matter.
# Output:
#   p = 1  as a lambda 9.006  by name 9.006
#   p = 2  as a lambda 9.006  by name 3.882
#   p = 4  as a lambda 9.006  by name 2.864
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 rich==15.0.0 xxhash==4.1.0 safetensors==0.8.0
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check --no-deps emb-diversity==0.1.0
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import numpy as np
from emb_diversity import mean_pw_dist

texts = np.random.default_rng(0).normal(size=(50, 8))
seen = []
for p in (1, 2, 4):
    own = mean_pw_dist(texts, metric=lambda a, b: (abs(a - b) ** p).sum() ** (1 / p))["value"]
    named = mean_pw_dist(texts, metric="minkowski", p=p)["value"]
    seen.append((round(own, 3), round(named, 3)))
    print(f"p = {p}  as a lambda {own:.3f}  by name {named:.3f}")
own, named = zip(*seen)
assert own[0] == own[1] == own[2] == named[0]
assert named[0] > named[1] > named[2]
EOF
