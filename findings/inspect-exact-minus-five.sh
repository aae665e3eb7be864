#!/usr/bin/env bash
# The exact scorer takes -5 for 5, and the choice A for wrong when it is right.
#
# Package: inspect-ai 0.3.285, `exact`
# Guess:   an exact match forgives case and punctuation at most. Whatever is written as the
#          target scores as correct.
# Happens: the answer is first split at spaces and hyphens, so the sign of a number is a
#          separator and gone before numbers are recognised. Then a, an and the are left out, as
#          articles: the target A is empty, and an empty target matches nothing. B, C and D do.
#          `f1` does the same.
# Matters: on multiple choice this takes a quarter of the answers from a model that always knows,
#          and on arithmetic it forgives each error of sign.
# Output:
#   answer 5   target 5  exact C  f1 1.0
#   answer -5  target 5  exact C  f1 1.0
#   answer A   target A  exact I  f1 0.0
#   answer B   target B  exact C  f1 1.0
#   answer A   target B  exact I  f1 0.0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check inspect-ai==0.3.285
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import asyncio
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Target, exact, f1
from inspect_ai.solver import TaskState


def score(scorer, text, target):
    output = ModelOutput.from_content("model", text)
    state = TaskState("mockllm/model", 1, 1, "", [], output=output)
    return asyncio.run(scorer(state, Target(target))).value


seen = {}
for text, target in (("5", "5"), ("-5", "5"), ("A", "A"), ("B", "B"), ("A", "B")):
    seen[text, target] = score(exact(), text, target), score(f1(), text, target)
    print(f"answer {text:2}  target {target}  exact {seen[text, target][0]}  f1 {seen[text, target][1]}")
assert seen["-5", "5"] == seen["5", "5"] == seen["B", "B"] == ("C", 1)
assert seen["A", "A"] == seen["A", "B"] == ("I", 0)
EOF
