#!/usr/bin/env bash
# A relative entropy of two sets that reads the first 500 rows of each, however many there are.
#
# Package: rke-score 0.0.7, `RKE.compute_rrke`
# Guess:   it compares all rows of both sets, as `compute_rke_mc` of the same class draws its pairs
#          from all rows of one.
# Happens: it cuts both sets at 500 rows and says nothing; what comes after may be anything. With
#          the sets whole (x_samples=1000) the same features are more than ten times as far apart.
# Matters: texts stand in files by prompt, topic or temperature. The number then is about the first
#          topic alone: a model that has lost the other three is as near as one that has them all.
# Output:
#   all topics       first 500 rows 0.0018   all rows 0.0052
#   one topic left   first 500 rows 0.0018   all rows 1.0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check rke-score==0.0.7 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import numpy as np
from rke_score import RKE

rng = np.random.default_rng(0)
topics = np.repeat(4 * np.eye(2, 4), 500, axis=0)  # two topics, one after the other
people = topics + rng.normal(size=topics.shape)
varied = topics + rng.normal(size=topics.shape)
narrow = varied.copy()
narrow[500:] = varied[rng.integers(0, 500, size=500)]  # the first topic again and again
measure = RKE(kernel_bandwidth=[1.0])
seen = {}
for name, model in (("all topics", varied), ("one topic left", narrow)):
    first = measure.compute_rrke(people, model)[1.0]
    whole = measure.compute_rrke(people, model, x_samples=1000)[1.0]
    seen[name] = float(first), float(whole)
    print(f"{name:15}  first 500 rows {first:.4f}   all rows {whole:.4f}")
assert seen["all topics"][0] == seen["one topic left"][0]
assert seen["one topic left"][1] > 4 * seen["all topics"][1]
EOF
