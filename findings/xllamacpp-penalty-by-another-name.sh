#!/usr/bin/env bash
# A repetition penalty of 2 changes nothing, under the name that transformers has for it.
#
# Package: xllamacpp 2026.10.11549, the server of llama.cpp
# Guess:   the fields beyond the protocol that servers share (top_k, min_p, repetition_penalty)
#          have one name, or the server refuses one that it does not know.
# Happens: top_k and min_p are read. The penalty that transformers and vLLM call
#          `repetition_penalty` is `repeat_penalty` here; the other name is passed over without a
#          word, as a field with a typing error is.
# Matters: a client made for one server runs against the other and a sweep over the penalty gives
#          one text throughout, which reads as a model that does not react to it.
# Output:
#   repeat_penalty     2  changes the text: True
#   repetition_penalty 2  changes the text: False
#   repetion_penalty   2  changes the text: False
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


def text(**settings):
    request = {"prompt": "lbha2g83@r?toe,8ouobbqjx", "max_tokens": 12, "temperature": 0}
    return complete(**request | settings)["choices"][0]["text"]


usual, seen = text(), {}
for name in ("repeat_penalty", "repetition_penalty", "repetion_penalty"):
    seen[name] = text(**{name: 2.0}) != usual
    print(f"{name:18} 2  changes the text: {seen[name]}")
assert list(seen.values()) == [True, False, False]
assert text(seed=1, temperature=9) != text(seed=1, temperature=9, top_k=1) == usual
EOF
