#!/usr/bin/env bash
# A model that is only a mock needs the network.
#
# Package: inspect_ai 0.3.285 with tiktoken 0.14.0, `mockllm/model`
# Guess:   a mock model answers by itself, so a task can be tried where there is no network.
# Happens: where an output does not say how many tokens it used, the mock counts them, by an
#          encoding that tiktoken fetches on first use. Without a network the run ends with the
#          status `error` and no sample is scored. Outputs of one's own that carry a usage run.
# Matters: continuous integration and clusters without network are where mocks are for. The same
#          test passes on a machine that once fetched the file.
# Output:
#   outputs of the mock's own     error
#   outputs that carry a usage    success
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check inspect_ai==0.3.285 tiktoken==0.14.0
cd "$dir"
# A closed port stands for a missing network, and an empty cache for a new machine.
export HTTPS_PROXY=http://127.0.0.1:9 TIKTOKEN_CACHE_DIR="$dir/cache"
"$dir/venv/bin/python" - <<'PY'
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes


def status(model):
    task = Task(dataset=[Sample(input="Say a.", target="a")], scorer=includes())
    [log] = eval(task, model=model, display="none", log_dir="logs")
    return log.status


output = ModelOutput.from_content("mockllm/model", "a")
output.usage = ModelUsage(input_tokens=2, output_tokens=1, total_tokens=3)
seen = status("mockllm/model"), status(get_model("mockllm/model", custom_outputs=[output]))
print("outputs of the mock's own    ", seen[0])
print("outputs that carry a usage   ", seen[1])
assert seen == ("error", "success"), seen
PY
