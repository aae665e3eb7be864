#!/usr/bin/env bash
# The abundance-based coverage estimate of how many kinds there are, three times too high.
#
# Packages: copia 0.1.4 (`richness.ace`), scikit-bio 0.7.4 (`alpha.ace`)
# Guess:    both are Chao and Lee's ACE with rare kinds seen at most ten times, and agree; copia's
#           Chao1, tested on the same counts, agrees with scikit-bio's.
# Happens:  copia's is far above, and the fewer texts there are the more: the coefficient of
#           variation is to be taken less 1 and at least 0, and is taken whole.
# Matters:  this is the number for "how many plots would the model tell if we asked it for ever".
#           Of 400 kinds that there are, 200 draws promise 1300; with more draws the promise falls,
#           as if the model had lost most of what it knew.
# Output (400 kinds by Zipf's law):
#     200 draws, 106 seen:  Chao1 266 and 266   ACE copia 1322  scikit-bio 358
#    1000 draws, 241 seen:  Chao1 396 and 397   ACE copia 678  scikit-bio 393
#    5000 draws, 383 seen:  Chao1 416 and 416   ACE copia 431  scikit-bio 406
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check copia==0.1.4 scikit-bio==0.7.4 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" -W ignore - <<'EOF'
import numpy as np
from copia import richness
from skbio.diversity import alpha

rng = np.random.default_rng(0)
zipf = 1 / np.arange(1, 401)
found = []
for draws in (200, 1000, 5000):
    counts = np.bincount(rng.choice(400, size=draws, p=zipf / zipf.sum()), minlength=400)
    chao = float(richness.chao1(counts)), float(alpha.chao1(counts, bias_corrected=False))
    ace = float(richness.ace(counts)), float(alpha.ace(counts))
    found.append((*chao, *ace))
    print(f"{draws:5} draws, {np.count_nonzero(counts)} seen:  Chao1 {chao[0]:.0f} and {chao[1]:.0f}"
          f"   ACE copia {ace[0]:.0f}  scikit-bio {ace[1]:.0f}")
for chao1, other, high, right in found:
    assert abs(chao1 - other) < 1
    assert high > right
assert found[0][2] > 3 * 400 and found[0][3] < 400
EOF
