#!/usr/bin/env bash
# A text has other probabilities after the model has read a longer one.
#
# Package: transformers 5.23.0 with torch 2.15.0, rotary positions of type `dynamic`
# Guess:   a call without a cache depends on the weights and its own tokens. What was read before
#          cannot matter.
# Happens: the frequencies are stretched to the longest text so far and stay so. They go back only
#          for a text that fits the trained length. One between the two lengths is read with the
#          frequencies of the longest; a fresh copy of the model gives the first values again.
# Matters: the likelihoods of a file of texts depend on their order, and a run that is taken up
#          again, or split over two processes, has other ones.
# Output:
#   trained length 32, longer text of 120 tokens
#   text of 20  logits change after it by 0.0, in a fresh model by 0.0
#   text of 40  logits change after it by 13.4, in a fresh model by 0.0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check torch==2.15.0 transformers==5.23.0 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import torch
from transformers import LlamaConfig, LlamaForCausalLM

config = LlamaConfig(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    initializer_range=0.5,
    max_position_embeddings=32,
    rope_parameters={"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0},
)


def fresh():
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


def logits(model, tokens):
    with torch.no_grad():
        return model(tokens, use_cache=False).logits


print("trained length 32, longer text of 120 tokens")
tokens = torch.randint(0, 64, (1, 120), generator=torch.Generator().manual_seed(0))
model, seen = fresh(), {}
for length in (20, 40):
    text = tokens[:, :length]
    first = logits(model, text)
    logits(model, tokens)
    seen[length] = float((logits(model, text) - first).abs().max())
    again = float((logits(fresh(), text) - first).abs().max())
    print(f"text of {length}  logits change after it by {seen[length]:.1f}, in a fresh model by {again:.1f}")
    assert again < 1e-3
assert seen[20] < 1e-3 and seen[40] > 1
EOF
