#!/usr/bin/env bash
# A chat template that is empty is not in the file at all; a 0 and a "no" are.
#
# Package: gguf 0.19.0, `GGUFWriter`
# Guess:   a key that was written is read back, with the value that was written.
# Happens: `add_string` and `add_array` return without a word when the value is empty, and the file
#          has no such key. `add_bool` writes false, `add_uint32` writes 0, and an array of one
#          empty string is kept.
# Matters: absent means "take the default": of a chat template, of the tokens to add, of the
#          merges. A converter that wrote "none" on purpose, so that a base model gets its prompts
#          as they are, leaves the choice to whatever program reads the file.
# Output:
#   tokenizer.chat_template       written ''     read absent
#   tokenizer.ggml.merges         written []     read absent
#   tokenizer.ggml.tokens         written ['']   read ['']
#   tokenizer.ggml.add_bos_token  written False  read False
#   tokenizer.ggml.bos_token_id   written 0      read 0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check gguf==0.19.0 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import numpy as np
from gguf import GGUFReader, GGUFWriter

writer = GGUFWriter("model.gguf", "llama")
written = {
    "tokenizer.chat_template": "",
    "tokenizer.ggml.merges": [],
    "tokenizer.ggml.tokens": [""],
    "tokenizer.ggml.add_bos_token": False,
    "tokenizer.ggml.bos_token_id": 0,
}
for key, value in written.items():
    add = {str: writer.add_string, list: writer.add_array, bool: writer.add_bool, int: writer.add_uint32}
    add[type(value)](key, value)
writer.add_tensor("output.weight", np.zeros(4, dtype=np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
fields = GGUFReader("model.gguf").fields
for key, value in written.items():
    found = repr(fields[key].contents()) if key in fields else "absent"
    print(f"{key:29} written {value!r:6} read {found}")
assert "tokenizer.chat_template" not in fields and "tokenizer.ggml.merges" not in fields
assert fields["tokenizer.ggml.tokens"].contents() == [""]
assert fields["tokenizer.ggml.add_bos_token"].contents() is False
EOF
