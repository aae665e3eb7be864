#!/usr/bin/env bash
# A penalty on repetition keeps the model from an answer it has never given.
#
# Package: xllamacpp 2026.10.11549, the server of llama.cpp
# Guess:   frequency and presence penalties count the tokens that were generated, so they leave
#          the first token of a completion as it is.
# Happens: they count the last 64 tokens, and those of the prompt are among them. The most probable
#          first token loses to another if the end of the prompt has it. With `repeat_last_n` 0
#          there is no penalty at all, rather than one on what was generated.
# Matters: a choice that is listed in the question, a name from it or the format of the examples
#          are what a good answer repeats. The penalty that was set against loops costs accuracy,
#          more so for answers of one word, which have no loops.
# Output:
#   no penalty             first token '8'  in the prompt 2 times
#   frequency penalty 2    first token ')'  in the prompt 0 times
#   presence penalty 2     first token ')'  in the prompt 0 times
#   both, repeat_last_n 0  first token '8'  in the prompt 2 times
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


prompt, seen = "lbha2g83@r?toe,8ouobbqjx", {}
for name, settings in (
    ("no penalty", {}),
    ("frequency penalty 2", {"frequency_penalty": 2.0}),
    ("presence penalty 2", {"presence_penalty": 2.0}),
    ("both, repeat_last_n 0", {"frequency_penalty": 2.0, "presence_penalty": 2.0, "repeat_last_n": 0}),
):
    answer = complete(prompt=prompt, max_tokens=1, **settings | {"temperature": 0})
    seen[name] = answer["choices"][0]["text"]
    print(f"{name:22} first token {seen[name]!r}  in the prompt {prompt.count(seen[name])} times")
usual, frequency, presence, none = seen.values()
assert usual == none and prompt.count(usual) == 2
assert usual not in (frequency, presence)
EOF
