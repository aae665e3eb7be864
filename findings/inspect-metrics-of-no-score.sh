#!/usr/bin/env bash
# A metric over all samples is asked about none of them, and may end the run.
#
# Package: inspect_ai 0.3.285
# Guess:   a metric is called once, when every sample has its score.
# Happens: it is called over and over while the task runs, first with an empty list, then with
#          one score, two, and so on. What it raises then is no matter of the display: the run
#          ends with the status `error`, and with no results.
# Matters: measures of a whole set (diversity, k-NN precision, MAUVE) need a number of samples and
#          say so. A metric that raises on too few of them can never see all.
# Output:
#   numbers of scores seen: 0 1 2 3
#   status: success
#   status where fewer than 2 are refused: error
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check inspect_ai==0.3.285
cd "$dir"
"$dir/venv/bin/python" - <<'PY'
import asyncio

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import SampleScore, Score, metric, scorer

seen = []


@metric
def size(least: int = 0):
    def compute(scores: list[SampleScore]) -> float:
        seen.append(len(scores))
        if len(scores) < least:
            raise ValueError(f"{len(scores)} scores are too few")
        return float(len(scores))

    return compute


@scorer(metrics=[size()])
def any_size():
    async def score(state, target):
        await asyncio.sleep(1.2)  # as long as a model takes
        return Score(value=1)

    return score


@scorer(metrics=[size(least=2)])
def at_least_two():
    async def score(state, target):
        await asyncio.sleep(1.2)  # as long as a model takes
        return Score(value=1)

    return score


def run(how):
    outputs = [ModelOutput.from_content("mockllm/model", "a") for _ in range(3)]
    for output in outputs:
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    task = Task(dataset=[Sample(input="Say a.", target="a") for _ in range(3)], scorer=how)
    model = get_model("mockllm/model", custom_outputs=outputs)
    [log] = eval(task, model=model, display="none", log_dir="logs", max_samples=1)
    return log.status


status = run(any_size())
numbers = sorted(set(seen))
refused = run(at_least_two())
print("numbers of scores seen:", *numbers)
print("status:", status)
print("status where fewer than 2 are refused:", refused)
assert 0 in numbers and 3 in numbers, numbers
assert (status, refused) == ("success", "error")
PY
