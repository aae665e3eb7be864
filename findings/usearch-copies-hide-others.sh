#!/usr/bin/env bash
# Three thousand copies of one text hide the other texts from their own vectors.
#
# Package: usearch 2.26.6, `Index`
# Guess:   a graph index with expansion 200 finds nearly every nearest neighbour among 4,000
#          vectors. Copies of one vector, far from a query, are not in its way.
# Happens: each vector keeps links to its nearest others. A copy has other copies for
#          neighbours, so the links of those inserted first lead nowhere else, and most texts
#          added after them are not found even by their own vector. With the copies inserted
#          last nearly all are.
# Matters: samples of a model at low temperature are such a set. Measures over neighbours then
#          depend on the order of the rows, and the texts that are not copies look the more
#          remote.
# Output:
#   without copies  of 1000 texts find themselves: 1000
#   copies last     of 1000 texts find themselves: 942
#   copies first    of 1000 texts find themselves: 370
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check usearch==2.26.6 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import numpy as np
from usearch.index import Index

rng = np.random.default_rng(0)
texts = rng.normal(size=(1000, 32)).astype(np.float32)
copies = np.repeat(rng.normal(size=(1, 32)).astype(np.float32), 3000, axis=0)


def found(rows):
    index = Index(ndim=32, metric="l2sq", dtype="f32", expansion_add=200, expansion_search=200)
    index.add(np.arange(len(rows)), rows, threads=1)
    return float(np.mean(index.search(texts, 1, threads=1).distances[:, 0] < 1e-6))


seen = {}
for name, rows in (
    ("without copies", texts),
    ("copies last", np.vstack([texts, copies])),
    ("copies first", np.vstack([copies, texts])),
):
    seen[name] = found(rows)
    print(f"{name:15} of 1000 texts find themselves: {round(1000 * seen[name])}")
assert seen["without copies"] > 0.99
assert seen["copies first"] < 0.6 < 0.8 < seen["copies last"]
EOF
