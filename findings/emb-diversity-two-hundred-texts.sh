#!/usr/bin/env bash
# Two hundred texts have no diversity; 199 and 201 do.
#
# Package: emb-diversity 0.1.0, `cluster_inertia`
# Guess:   the spread around k-means centres falls slowly as texts are left out, and fewer texts
#          than clusters give a smaller number of clusters or an error.
# Happens: the measure takes 200 clusters, or one less than there are texts if there are fewer
#          than 200. At exactly 200 every text is its own centre and the diversity is 0, whatever
#          the texts. Below and a little above that it is only a remainder: 400 texts of one
#          distribution have some four hundred times the diversity of 201.
# Matters: 200 is a usual number of samples, and a diversity of exactly 0 looks like a model
#          that repeats itself.
# Output:
#   199 texts  2.47
#   200 texts  0.00
#   201 texts  3.07
#   400 texts  1222.28
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 rich==15.0.0 xxhash==4.1.0 safetensors==0.8.0
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check --no-deps emb-diversity==0.1.0
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import numpy as np
from emb_diversity import cluster_inertia

rng = np.random.default_rng(0)
seen = {}
for texts in (199, 200, 201, 400):
    seen[texts] = cluster_inertia(rng.normal(size=(texts, 16)))["value"]
    print(f"{texts} texts  {seen[texts]:.2f}")
assert seen[200] == 0 and min(seen[199], seen[201]) > 0.5
assert seen[400] > 100 * seen[201]
EOF
