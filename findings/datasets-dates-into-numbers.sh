#!/usr/bin/env bash
# The answer 1969-07-20 comes out of a load and a save as -14256000000.
#
# Package: datasets 5.2.0, its json loader
# Guess:   a JSON string stays a string: JSON has no dates.
# Happens: if every string of a column looks like a date, the column becomes timestamps, and
#          `to_json` writes those as milliseconds since 1970. One answer that is not a date keeps
#          the column as it was.
# Matters: a task whose answers are dates has other gold answers than its file says, and samples
#          saved this way read as numbers in whatever tool measures them next. Leaving out the
#          one refusal among the answers is what triggers it.
# Output:
#   dates only     loaded as timestamp[s]  saved [-14256000000, 626572800000]
#   and a refusal  loaded as string        saved ['1969-07-20', '1989-11-09', 'I do not know']
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import json, os
from pathlib import Path

os.environ["HF_HOME"] = "home"
os.environ["HF_HUB_OFFLINE"] = "1"
import datasets

datasets.disable_progress_bars()
dates = ["1969-07-20", "1989-11-09"]
seen = {}
for name, answers in (("dates only", dates), ("and a refusal", dates + ["I do not know"])):
    file, copy = Path(f"{name}.jsonl"), Path(f"{name} copy.jsonl")
    file.write_text("".join(json.dumps({"answer": answer}) + "\n" for answer in answers))
    loaded = datasets.load_dataset("json", data_files=str(file), split="train")
    loaded.to_json(str(copy))
    saved = [json.loads(line)["answer"] for line in copy.read_text().splitlines()]
    seen[name] = loaded.features["answer"].dtype, saved
    print(f"{name:13}  loaded as {seen[name][0]:12}  saved {saved}")
assert seen["dates only"] == ("timestamp[s]", [-14256000000, 626572800000])
assert seen["and a refusal"] == ("string", dates + ["I do not know"])
EOF
