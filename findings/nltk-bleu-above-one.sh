#!/usr/bin/env bash
# Two of the smoothings give a text more than BLEU 1 against itself, another gives it 0.58.
#
# Package: nltk 3.10.4
# Guess:   BLEU lies between 0 and 1, and a text against itself scores 1; a smoothing only fills
#          in for orders of n-grams without a match.
# Happens: methods 5 and 7 average each precision with its neighbours and put `p1 + 1` before the
#          first, so eight equal words score 1.12. Method 4 scores three equal words 0.58 and one
#          word 1.0.
# Matters: self-BLEU is a measure of diversity, and equal texts are what it exists to find. With
#          method 5, copies score above its maximum; with method 4, copies of three words look
#          more diverse than copies of one.
# Output:
#   method 4  [1.0, 0.576, 1.0]
#   method 5  [0.192, 0.703, 1.117]
#   method 7  [0.192, 0.747, 1.117]
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check nltk==3.10.4
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import warnings
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

warnings.simplefilter("ignore")
texts = [t.split() for t in ("yes", "the cat sat", "the cat sat on the mat and slept")]
smooth = SmoothingFunction()
seen = {}
for method in (4, 5, 7):
    f = getattr(smooth, f"method{method}")
    seen[method] = [round(sentence_bleu([t], t, smoothing_function=f), 3) for t in texts]
    print("method", method, "", seen[method])
assert seen[5][2] > 1.1 and seen[7][2] > 1.1
assert seen[4][1] < 0.6 and seen[4][0] == seen[4][2] == 1
EOF
