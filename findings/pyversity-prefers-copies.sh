#!/usr/bin/env bash
# Asked for nothing but diversity, a strategy picks three copies of one text.
#
# Package: pyversity 0.2.0, `diversify`
# Guess:   at diversity 1 relevance is out of the count, so no strategy takes a copy of a text
#          that it has while there are texts it has not.
# Happens: MSD adds up the distances to what is picked. Far ends are far from each other, and a
#          second copy of one end gains more than a new text in the middle. MMR looks only at the
#          nearest picked text and takes each text once.
# Matters: the setting is a number from 0 to 1 with one meaning for all strategies. Turned up to
#          1 it returns copies, which a measure of diversity over the selection then finds.
# Output:
#   mmr diversity 0.5  picks texts 0 1 2 6 7 8 3 5 4 0
#   mmr diversity 1.0  picks texts 0 1 6 8 7 2 9 5 3 4
#   msd diversity 0.5  picks texts 0 3 2 7 8 1 6 5 2 7
#   msd diversity 1.0  picks texts 0 3 8 2 7 3 2 7 8 2
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check pyversity==0.2.0 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import numpy as np
from pyversity import Strategy, diversify

texts = np.random.default_rng(0).normal(size=(10, 8))
pool = np.repeat(texts, 4, axis=0)
seen = {}
for strategy in (Strategy.MMR, Strategy.MSD):
    for diversity in (0.5, 1.0):
        scores = np.linspace(1, 0.5, 40)
        picked = diversify(pool, scores, k=10, strategy=strategy, diversity=diversity)
        seen[strategy, diversity] = [int(i) // 4 for i in picked.indices]
        print(strategy.value, "diversity", diversity, " picks texts", *seen[strategy, diversity])
assert len(set(seen[Strategy.MMR, 1.0])) == 10
assert len(set(seen[Strategy.MSD, 1.0])) <= 5
EOF
