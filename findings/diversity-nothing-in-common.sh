#!/usr/bin/env bash
# Texts without a common word are as homogeneous as copies of one text.
#
# Package: diversity 0.3.1, `homogenization_score`
# Guess:   the mean ROUGE-L between the texts is 1 for copies and 0 for texts that share nothing.
# Happens: a sum of 0 over all pairs is taken for a sign that all texts are equal, and the score
#          is set to 1. One shared word among three texts brings it back to 0.111.
# Matters: lists, names and translations do have no word in common. The most diverse set that
#          can be gets the worst score, and nothing tells it from the set of copies.
# Output:
#   copies           homogenization 1.0
#   one common word  homogenization 0.111
#   no common word   homogenization 1.0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check rouge-score==0.1.2 nltk==3.10.4 numpy==2.4.6 tqdm==4.70.1
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check --no-deps --ignore-requires-python diversity==0.3.1
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import importlib.util, sys, types
from pathlib import Path

# The package as a whole imports torch, and this module evaluate for measures other than ROUGE-L.
sys.modules["evaluate"] = types.SimpleNamespace(load=None)
package = Path(importlib.util.find_spec("diversity").origin).parent
spec = importlib.util.spec_from_file_location("homogenization", package / "homogenization.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

sets = {
    "copies": ["red apples fall"] * 3,
    "one common word": ["red apples fall", "blue rivers fall", "green hills rest"],
    "no common word": ["red apples fall", "blue rivers run", "green hills rest"],
}
seen = {}
for name, texts in sets.items():
    seen[name] = float(module.homogenization_score(texts, verbose=False))
    print(f"{name:16} homogenization {seen[name]}")
assert seen["copies"] == seen["no common word"] == 1
assert 0 < seen["one common word"] < 0.2
EOF
