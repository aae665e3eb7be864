#!/usr/bin/env bash
# A request for four hundred tokens reports eight.
#
# Package: xllamacpp 2026.10.11549, the server of llama.cpp
# Guess:   `usage` counts all that a request read and wrote, as the protocol has it: fifty prompts
#          of eight tokens each make four hundred completion tokens.
# Happens: `usage` is that of one of the fifty, while the texts of all are there. With `n`
#          completions of one prompt it is the same.
# Matters: tokens per text and tokens per second come out fifty times too small, and a budget in
#          tokens is fifty times overdrawn. With one prompt a request nothing shows.
# Output:
#   1 prompt        completions of 8 tokens  1  usage: read 7, written 8
#   50 prompts      completions of 8 tokens 50  usage: read 7, written 8
#   1 prompt, n = 4 completions of 8 tokens  4  usage: read 7, written 8
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
    ("1 prompt", {"prompt": "abc"}),
    ("50 prompts", {"prompt": ["abc"] * 50}),
    ("1 prompt, n = 4", {"prompt": "abc", "n": 4}),
):
    answer = complete(max_tokens=8, **request)
    usage = answer["usage"]
    seen[name] = len(answer["choices"]), usage["prompt_tokens"], usage["completion_tokens"]
    texts, read, written = seen[name]
    print(f"{name:15} completions of 8 tokens {texts:2}  usage: read {read}, written {written}")
assert [texts for texts, *_ in seen.values()] == [1, 50, 4]
assert {written for *_, written in seen.values()} == {8}
assert len({read for _, read, _ in seen.values()}) == 1
EOF
