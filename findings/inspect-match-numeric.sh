#!/usr/bin/env bash
# A scorer told that the target is a number no longer finds it in "x=7".
#
# Package: inspect-ai 0.3.285, `match`
# Guess:   `numeric=True` reads the numbers in an answer and compares them; it accepts all that
#          the comparison of texts accepts, and 7.0 too.
# Happens: only words that are a number as a whole are read. `x=7` and `7%` hold none, wherever
#          one looks, and score as wrong. Without it the end of the text is compared: then these
#          are right, and so are 17 and -7.
# Matters: either setting is wrong for a large share of usual answers, and which one depends on
#          how a model likes to write: one model gains and another loses with the same answers.
# Output:
#   target 7        as text  as a number  anywhere
#   x = 7           C        C            C
#   x=7             C        I            I
#   17              C        I            I
#   x = -7          C        I            I
#   7%              C        I            I
#   It is 7.0       I        C            C
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check inspect-ai==0.3.285
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import asyncio
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Target, match
from inspect_ai.solver import TaskState


def score(scorer, text, target):
    output = ModelOutput.from_content("model", text)
    state = TaskState("mockllm/model", 1, 1, "", [], output=output)
    return asyncio.run(scorer(state, Target(target))).value


seen = {}
print("target 7        as text  as a number  anywhere")
for text in ("x = 7", "x=7", "17", "x = -7", "7%", "It is 7.0"):
    scorers = match(), match(numeric=True), match(numeric=True, location="any")
    seen[text] = "".join(score(scorer, text, "7") for scorer in scorers)
    print(f"{text:15} {seen[text][0]:8} {seen[text][1]:12} {seen[text][2]}")
assert seen["x = 7"] == "CCC" and seen["x=7"] == "CII"
assert seen["17"] == seen["x = -7"] == seen["7%"] == "CII" and seen["It is 7.0"] == "ICC"
EOF
