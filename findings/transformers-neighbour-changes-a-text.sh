#!/usr/bin/env bash
# The longest text of a batch decides how the others are read.
#
# Package: transformers 5.23.0 with torch 2.15.0, rotary positions of type `longrope`
# Guess:   with padding, mask and positions a text in a batch has the logits that it has alone, up
#          to rounding.
# Happens: there are two sets of frequencies, for texts within the trained length and beyond it,
#          and one is chosen for the whole batch, by its largest position. A short text beside a
#          long one is read with the long set. Its most probable tokens are others.
# Matters: what a model writes and how probable a text is depend on the texts that happened to be
#          beside it, so on the batch size and on the order of the file. Models of the Phi family
#          have these positions.
# Output:
#   beside a text of 30  logits off by 0.0, best token equal at 20 of 20
#   beside a text of 60  logits off by 11.8, best token equal at 4 of 20
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check torch==2.15.0 transformers==5.23.0 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import torch
from transformers import Phi3Config, Phi3ForCausalLM

config = Phi3Config(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=2,
    initializer_range=0.5,
    pad_token_id=0,
    eos_token_id=2,
    max_position_embeddings=128,
    original_max_position_embeddings=32,
    rope_parameters={
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 8,
        "long_factor": [4.0] * 8,
        "original_max_position_embeddings": 32,
    },
)
torch.manual_seed(0)
model = Phi3ForCausalLM(config).eval()
tokens = torch.randint(3, 64, (2, 60), generator=torch.Generator().manual_seed(0))
text = tokens[:1, :20]


def beside(length):
    """The logits of the text in a batch with one of this length, padded on the left."""
    padding = torch.zeros(1, length - 20, dtype=torch.long)
    batch = torch.cat([torch.cat([padding, text], 1), tokens[1:, :length]])
    mask = (torch.arange(length) >= torch.tensor([[length - 20], [0]])).long()
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    return model(batch, attention_mask=mask, position_ids=positions).logits[0, length - 20 :]


seen = {}
with torch.no_grad():
    alone = model(text).logits[0]
    for length in (30, 60):
        there = beside(length)
        seen[length] = float((there - alone).abs().max())
        same = int((there.argmax(1) == alone.argmax(1)).sum())
        print(f"beside a text of {length}  logits off by {seen[length]:.1f}, best token equal at {same} of 20")
assert seen[30] < 1e-3 and seen[60] > 1
EOF
