#!/usr/bin/env python3
"""A tiny checkpoint with random weights and what transformers computes from it, for the tests of a family.

    python3 -m venv venv && venv/bin/pip install torch transformers safetensors numpy
    venv/bin/python scripts/make-checkpoint.py phi3 tests/checkpoints/phi3 --set sliding_window=8

Writes into the folder what `llmpr models check` reads: config.json (transformers 5), config_v4.json (the same
in the style of transformers 4), model.safetensors in bf16, expected.json, and as .npy the last token's final
hidden state in float64, its logits in float32, and its state in the middle of the network. Greedy tokens are
64 a text, and the smallest gap between the two best logits on their way is said: a checkpoint with a gap
near rounding, 1e-4 or less, is no test; take another seed.
"""

import argparse
import copy
import json
import pathlib

import numpy as np
import torch
import transformers

SIZES = dict(
    vocab_size=96,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=128,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=None,
)
LENGTHS = (1, 2, 5, 17, 40)
GREEDY = 64


def model_of(family, seed, settings):
    """A model whose states spread as those of trained ones do, in float32 with weights that bf16 holds."""
    config = transformers.AutoConfig.for_model(family, **{**SIZES, **settings})
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=draw)
            if "embed" in name or "wte" in name or "wpe" in name:
                value = noise
            elif weight.dim() == 2:
                value = noise * 1.5 / min(weight.shape) ** 0.5
            else:
                value = 0.1 * noise + (0 if name.endswith("bias") else 1)
            weight.copy_(value.bfloat16().float())
    return model


def in_old_style(config):
    """config.json as transformers 4 wrote it."""
    rope = config.pop("rope_parameters", None)
    if rope is not None:
        config["rope_theta"] = rope["rope_theta"]
        stretched = rope.get("rope_type", "default") != "default"
        config["rope_scaling"] = {k: v for k, v in rope.items() if k != "rope_theta"} if stretched else None
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.46.0"
    return config


def last(model, texts, layer):
    """The state of each text's last token after `layer` blocks, -1 for the final one, and its logits."""
    states, logits = [], []
    with torch.no_grad():
        for text in texts:
            out = model(torch.tensor([text]), output_hidden_states=True)
            states.append(out.hidden_states[layer][0, -1].numpy())
            logits.append(out.logits[0, -1].numpy())
    return np.stack(states), np.stack(logits)


def greedy(model, text):
    """The most probable tokens after `text`, and the smallest gap to the second best."""
    ids, gap = list(text), float("inf")
    with torch.no_grad():
        for _ in range(GREEDY):
            best = model(torch.tensor([ids])).logits[0, -1].topk(2)
            gap = min(gap, (best.values[0] - best.values[1]).item())
            ids.append(best.indices[0].item())
    return ids[len(text) :], gap


def log_probability(model, text):
    """Of all tokens but the first."""
    with torch.no_grad():
        rows = model(torch.tensor([text])).logits[0, :-1].log_softmax(-1)
    return rows.gather(1, torch.tensor(text[1:])[:, None]).sum().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", help="a model_type of transformers: gpt2, llama, mistral, phi3, qwen2, …")
    parser.add_argument("out", type=pathlib.Path, help="the folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=JSON", help="a field of the configuration")
    args = parser.parse_args()
    settings = {field: json.loads(value) for field, value in (pair.split("=", 1) for pair in args.set)}

    model = model_of(args.family, args.seed, settings)
    args.out.mkdir(parents=True, exist_ok=True)
    # A copy: rotary frequencies, which are no weights, must not go through bf16.
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(args.out)
    (args.out / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((args.out / "config.json").read_text())
    (args.out / "config_v4.json").write_text(json.dumps(in_old_style(config), indent=2) + "\n")

    vocab = model.config.vocab_size
    draw = np.random.default_rng(args.seed)
    texts = [draw.integers(3, vocab, length).tolist() for length in LENGTHS]
    middle = model.config.num_hidden_layers // 2 + 1
    logits = last(model, texts, -1)[1]
    tokens, gaps = zip(*(greedy(model, text) for text in texts))
    exact = model.double()
    expected = {
        "name": args.out.name,
        "versions": {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__},
        "seed": args.seed,
        "input_ids": texts,
        "middle_layer_index": middle,
        "greedy": tokens,
        "smallest_gap": min(gaps),
        "sum_logprob_of_tokens_1_to_end": [log_probability(exact, t) if len(t) > 1 else None for t in texts],
    }
    (args.out / "expected.json").write_text(json.dumps(expected) + "\n")
    np.save(args.out / "last_hidden_f64.npy", last(exact, texts, -1)[0])
    np.save(args.out / "middle_hidden_f64.npy", last(exact, texts, middle)[0])
    np.save(args.out / "last_logits_f32.npy", logits.astype(np.float32))
    size = sum(file.stat().st_size for file in args.out.iterdir())
    print(f"{args.out}: {size / 1000:.0f} kB, logits to {abs(logits).max():.1f}, smallest gap {min(gaps):.2g}")


if __name__ == "__main__":
    main()
