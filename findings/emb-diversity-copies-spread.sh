#!/usr/bin/env bash
# Five copies of each text have five times the diversity of one.
#
# Package: emb-diversity 0.1.0 with scipy 1.17.1, `mst_dispersion`
# Guess:   the length of a minimum spanning tree is that of its distinct points; a copy is
#          reached at distance 0 and adds nothing.
# Happens: the tree is built from a dense matrix of distances, in which scipy reads 0 as "no
#          edge". A copy cannot hang on its twin at no cost, it needs an edge of its own to
#          another text. The dispersion grows with the number of copies, nearly in proportion.
# Matters: this is a measure of diversity, larger is better. A model that repeats each of its
#          texts five times gets more than one that says five times as many different things.
# Output:
#   20 texts, 1 of each       43.1
#   20 texts, 2 of each       86.4
#   20 texts, 5 of each      216.3
#   100 different texts      194.3
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 rich==15.0.0 xxhash==4.1.0 safetensors==0.8.0
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check --no-deps emb-diversity==0.1.0
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import numpy as np
from emb_diversity import mst_dispersion

texts = np.random.default_rng(0).normal(size=(100, 8))


def dispersion(points):
    return mst_dispersion(points, metric="euclidean")["value"]


seen = {copies: dispersion(np.repeat(texts[:20], copies, axis=0)) for copies in (1, 2, 5)}
for copies, value in seen.items():
    print(f"20 texts, {copies} of each     {value:6.1f}")
different = dispersion(texts)
print(f"100 different texts     {different:6.1f}")
assert seen[5] > 4.5 * seen[1] and seen[2] > 1.8 * seen[1]
assert seen[5] > different
EOF
