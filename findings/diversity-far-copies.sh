#!/usr/bin/env bash
# Two hundred texts said twice are as diverse as said once, if the second time comes later.
#
# Package: diversity 0.3.1, `compression_ratio`
# Guess:   a set in which each text comes twice compresses about twice as well, in any order of
#          the texts.
# Happens: gzip looks back 32 KiB. A copy that is farther away does not exist for it, so the set
#          in two rounds has the ratio of one round, and with each text beside its copy nearly
#          twice that. Up to a hundred texts of this length both orders double the ratio. `xz`,
#          which the function offers too, doubles it in both.
# Matters: samples come in rounds, prompt by prompt, or sorted. The same texts get one of two
#          scores, and a longer run of a model that repeats itself looks the more diverse.
# Output:
#    50 texts  once 1.724  in two rounds 3.42 (xz 3.826)  each beside its copy 3.309
#   200 texts  once 1.954  in two rounds 2.041 (xz 4.656)  each beside its copy 3.537
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check --no-deps --ignore-requires-python diversity==0.3.1
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import importlib.util, random
from pathlib import Path

# The package as a whole imports torch; this module of it does not.
package = Path(importlib.util.find_spec("diversity").origin).parent
spec = importlib.util.spec_from_file_location("compression", package / "compression.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

rng = random.Random(0)
words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(5000)]
seen = {}
for count in (50, 200):
    texts = [" ".join(rng.choices(words, k=50)) for _ in range(count)]
    rounds, beside = texts + texts, [text for text in texts for _ in range(2)]
    seen[count] = [module.compression_ratio(rows) for rows in (texts, rounds, beside)]
    seen[count].append(module.compression_ratio(rounds, "xz"))
    once, later, near, xz = seen[count]
    print(f"{count:3} texts  once {once}  in two rounds {later} (xz {xz})  each beside its copy {near}")
assert min(seen[50][1:]) > 1.8 * seen[50][0]
assert seen[200][1] < 1.1 * seen[200][0] and min(seen[200][2:]) > 1.7 * seen[200][0]
EOF
