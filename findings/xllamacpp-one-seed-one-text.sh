#!/usr/bin/env bash
# A seed makes six prompts of one request one text, and six completions of one prompt six.
#
# Package: xllamacpp 2026.10.11549, the server of llama.cpp
# Guess:   a list of prompts is drawn row after row: with a seed six equal prompts give six texts,
#          the same six each time. `n` completions of one prompt do too, or are the same as these.
# Happens: every prompt of a list starts its own generator at the seed, so equal prompts give one
#          text. For `n` completions of one prompt the seed is counted on: they are the texts of
#          seeds 1, 2, 3 and 4.
# Matters: six copies of a prompt in one request are the quick way to six samples. With a seed,
#          which one sets to make a run repeatable, the model has no diversity at all. With `n`
#          it has, but runs at seeds 1 and 2 share all texts but one.
# Output:
#   6 prompts, no seed  completions 6  different 6
#   6 prompts, seed 1   completions 6  different 1
#   n = 4, seed 1       completions 4  different 4
#   n = 4, seed 1 are the texts of seeds 1 to 4: True
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check xllamacpp==2026.10.11549 gguf==0.19.0 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - 2> log <<'EOF' || { tail -n 5 log; exit 1; }
import json
import numpy as np
import xllamacpp
from gguf import GGUFWriter, TokenType


def model(path, n=32, hidden=64):
    """A llama of one layer with random weights, whose tokens are the 256 bytes."""
    rng = np.random.default_rng(0)
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [TokenType.UNKNOWN] + [TokenType.CONTROL] * 2 + [TokenType.BYTE] * 256
    w = GGUFWriter(path, "llama")
    w.add_context_length(256)
    w.add_embedding_length(n)
    w.add_block_count(1)
    w.add_feed_forward_length(hidden)
    w.add_head_count(2)
    w.add_head_count_kv(2)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_tokenizer_model("llama")
    w.add_token_list(tokens)
    w.add_token_scores([0.0] * len(tokens))
    w.add_token_types(kinds)
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    shapes = {"token_embd": (len(tokens), n), "output": (len(tokens), n)}
    shapes |= {f"blk.0.attn_{part}": (n, n) for part in ("q", "k", "v", "output")}
    shapes |= {f"blk.0.ffn_{part}": (hidden, n) for part in ("gate", "up")}
    shapes |= {"blk.0.ffn_down": (n, hidden)}
    for name, shape in shapes.items():
        w.add_tensor(f"{name}.weight", rng.normal(size=shape).astype(np.float32) / 2)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        w.add_tensor(f"{name}.weight", np.ones(n, dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


model("model.gguf")
params = xllamacpp.CommonParams()
params.model.path = "model.gguf"
params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 1024, 4, 1
server = xllamacpp.Server(params)


def complete(**request):
    settings = {"temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0, "ignore_eos": True}
    answer = server.handle_completions(settings | request)
    return json.loads(answer) if isinstance(answer, (bytes, str)) else answer


seen = {}
for name, request in (
    ("6 prompts, no seed", {"prompt": ["abc"] * 6}),
    ("6 prompts, seed 1", {"prompt": ["abc"] * 6, "seed": 1}),
    ("n = 4, seed 1", {"prompt": "abc", "n": 4, "seed": 1}),
):
    choices = complete(max_tokens=8, **request)["choices"]
    seen[name] = [choice["text"] for choice in choices]
    print(f"{name:19} completions {len(choices)}  different {len(set(seen[name]))}")
each = [complete(prompt="abc", max_tokens=8, seed=k)["choices"][0]["text"] for k in (1, 2, 3, 4)]
print("n = 4, seed 1 are the texts of seeds 1 to 4:", seen["n = 4, seed 1"] == each)
assert len(set(seen["6 prompts, no seed"])) == 6
assert set(seen["6 prompts, seed 1"]) == {each[0]} and len(seen["6 prompts, seed 1"]) == 6
assert seen["n = 4, seed 1"] == each and len(set(each)) == 4
EOF
