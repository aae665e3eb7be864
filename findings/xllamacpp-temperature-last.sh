#!/usr/bin/env bash
# With top-p the temperature can be raised to 5 and not one more token is drawn.
#
# Package: xllamacpp 2026.10.11549, the server of llama.cpp
# Guess:   the temperature makes the distribution flatter, and top-p 0.5 keeps the fewest tokens
#          that hold half of it: more of them, the higher the temperature.
# Happens: top-p is taken of the distribution at temperature 1, and the temperature is applied to
#          what is left. Two tokens are drawn at every temperature. With `samplers` that put the
#          temperature first, which transformers always does, it is some sixty at temperature 5.
# Matters: a sweep of temperatures with top-p has a ceiling to its diversity that is none of the
#          model's, and the settings that are published with a model mean something else here.
# Output:
#   temperature 1  tokens drawn 2  with the temperature first 2
#   temperature 2  tokens drawn 2  with the temperature first 28
#   temperature 5  tokens drawn 2  with the temperature first 64
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


def drawn(**request):
    """How many different tokens come first in 400 draws; parts of a letter may have no id."""
    asked = (complete(prompt="abc", max_tokens=1, logprobs=1, seed=k, **request) for k in range(400))
    choices = [answer["choices"][0]["logprobs"] for answer in asked]
    return len({choice["content"][0]["id"] for choice in choices if choice})


seen = {}
for temperature in (1, 2, 5):
    settings = {"temperature": temperature, "top_p": 0.5}
    seen[temperature] = drawn(**settings), drawn(**settings, samplers=["temperature", "top_p"])
    usual, first = seen[temperature]
    print(f"temperature {temperature}  tokens drawn {usual}  with the temperature first {first}")
assert {usual for usual, _ in seen.values()} == {2}
assert seen[1][1] == 2 and seen[2][1] > 10 and seen[5][1] > 30
EOF
