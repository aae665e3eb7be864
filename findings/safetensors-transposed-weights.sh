#!/usr/bin/env bash
# A transposed weight is saved scrambled, under its right name and shape.
#
# Package: safetensors 0.8.0 with numpy 2.4.6
# Guess:   `save_file` writes what the array prints, or refuses an array that is not contiguous,
#          as it does for a torch tensor.
# Happens: it writes the memory behind the view in storage order, beneath the shape of the view.
#          `w.T` and every second row come back as other numbers; no error, no warning, and the
#          file is valid.
# Matters: weights ported by hand (a `Conv1D` turned into a `Linear`) or embeddings sliced before
#          saving load without a complaint. The model then samples noise, or a measure of it is
#          merely wrong.
# Output:
#   transposed     saved [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]  loaded [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
#   every second   saved [0.0, 2.0, 4.0]  loaded [0.0, 1.0, 2.0]
#   made contiguous saves right: True
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import numpy as np
from safetensors.numpy import load_file, save_file

w = np.arange(6, dtype=np.float32).reshape(2, 3)
line = np.arange(6, dtype=np.float32)
views = {"transposed": w.T, "every second": line[::2]}
save_file(views, "views.safetensors")
loaded = load_file("views.safetensors")
for name, view in views.items():
    print(f"{name:14} saved {view.tolist()}  loaded {loaded[name].tolist()}")
    assert loaded[name].shape == view.shape
    assert not np.array_equal(loaded[name], view)
save_file({"w": np.ascontiguousarray(w.T)}, "copy.safetensors")
right = np.array_equal(load_file("copy.safetensors")["w"], w.T)
print("made contiguous saves right:", right)
assert right
EOF
