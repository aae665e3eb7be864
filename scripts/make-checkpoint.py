#!/usr/bin/env python3
"""Tiny checkpoints with random weights and what transformers computes from them, for the tests of the families.

    python3 -m venv venv && venv/bin/pip install torch transformers safetensors numpy
    venv/bin/python scripts/make-checkpoint.py phi3 tests/checkpoints/phi3 --set sliding_window=8
    venv/bin/python scripts/make-checkpoint.py --all checkpoints

`--all` makes one folder for each variant of VARIANTS. Each folder holds what `llmpr models check` reads: config.json
(transformers 5), config_v4.json (the same in the style of transformers 4), model.safetensors in bf16, expected.json, and
as .npy the last token's final hidden state in float64, its logits in float32, and its state in the middle of the
network. Greedy tokens are 64 a text, and the smallest gap between the two best logits on their way is said: a
checkpoint with a gap near rounding, 1e-4 or less, is no test, so another seed is taken until there is none.
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
NEAR = 1e-4

# What a class calls otherwise or takes from elsewhere: fields of SIZES that are left out, and others that come in.
OWN_NAMES = {
    "gpt2": (["hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size",
              "max_position_embeddings"], dict(n_embd=32, n_layer=3, n_head=4, n_inner=128, n_positions=128)),
    "gptj": (["hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size",
              "max_position_embeddings"], dict(n_embd=32, n_layer=3, n_head=4, n_inner=128, n_positions=128, rotary_dim=4)),
    "gpt_neo": (["num_hidden_layers", "num_attention_heads", "num_key_value_heads"],
                dict(num_layers=4, num_heads=4, attention_types=[[["global", "local"], 2]], window_size=8)),
    "gpt_neox": (["num_key_value_heads"], {}),
    "opt": (["num_key_value_heads", "intermediate_size", "pad_token_id"],
            dict(ffn_dim=48, word_embed_proj_dim=32, pad_token_id=0)),
    "phi": (["intermediate_size", "num_key_value_heads"], dict(intermediate_size=128)),
    "llama4_text": (["num_hidden_layers"], dict(num_hidden_layers=4, head_dim=8, intermediate_size_mlp=40)),
}

LONG = [1.0, 1.25, 2.0, 3.0]
EXPERTS = dict(num_experts_per_tok=2, moe_intermediate_size=24)
# Each variant: the family and what sets it apart.
VARIANTS = {
    "gpt2": ("gpt2", {}),
    "gpt2-by-layer": ("gpt2", dict(scale_attn_by_inverse_layer_idx=True, activation_function="gelu")),
    "gpt-neo": ("gpt_neo", {}),
    "gptj": ("gptj", {}),
    "gpt-neox": ("gpt_neox", dict(rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5))),
    "gpt-neox-sequential": ("gpt_neox", dict(use_parallel_residual=False)),
    "opt": ("opt", {}),
    "llama": ("llama", {}),
    "llama-linear": ("llama", dict(rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0))),
    "llama-dynamic": ("llama", dict(rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, factor=4.0))),
    "llama-llama3": ("llama", dict(rope_parameters=dict(
        rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32))),
    "llama-yarn": ("llama", dict(rope_parameters=dict(
        rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32))),
    "llama-yarn-mscale": ("llama", dict(rope_parameters=dict(
        rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32, mscale=1.0,
        mscale_all_dim=0.5, beta_fast=16.0, beta_slow=2.0, truncate=False))),
    "mistral": ("mistral", dict(sliding_window=8)),
    "ministral3": ("ministral3", dict(head_dim=8, rope_parameters=dict(
        rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16, mscale=1.0,
        mscale_all_dim=1.0, llama_4_scaling_beta=0.1, beta_fast=32.0, beta_slow=1.0))),
    "qwen2": ("qwen2", {}),
    "qwen2-sliding": ("qwen2", dict(use_sliding_window=True, sliding_window=8, max_window_layers=1)),
    "qwen3": ("qwen3", dict(head_dim=16)),
    "gemma": ("gemma", dict(head_dim=8)),
    "gemma2": ("gemma2", dict(head_dim=8, sliding_window=8, query_pre_attn_scalar=8, attn_logit_softcapping=5.0,
                              final_logit_softcapping=8.0)),
    "gemma2-scalar": ("gemma2", dict(head_dim=8, sliding_window=8, query_pre_attn_scalar=12, attn_logit_softcapping=5.0,
                              final_logit_softcapping=8.0)),
    "gemma3": ("gemma3_text", dict(head_dim=8, sliding_window=8, query_pre_attn_scalar=12, layer_types=[
        "sliding_attention", "sliding_attention", "full_attention"])),
    "gemma3-linear": ("gemma3_text", dict(
        head_dim=8, sliding_window=8, query_pre_attn_scalar=8, num_hidden_layers=7, rope_parameters=dict(
            full_attention=dict(rope_type="linear", rope_theta=1e6, factor=8.0),
            sliding_attention=dict(rope_type="default", rope_theta=1e4)))),
    "phi": ("phi", {}),
    "phi3": ("phi3", dict(sliding_window=8)),
    "phi3-longrope": ("phi3", dict(original_max_position_embeddings=128, max_position_embeddings=256, rope_parameters=dict(
        rope_type="longrope", rope_theta=10000.0, short_factor=LONG, long_factor=[2.0] * 4,
        original_max_position_embeddings=128))),
    "phi4-partial": ("phi3", dict(hidden_size=64, original_max_position_embeddings=128, max_position_embeddings=256,
                                  tie_word_embeddings=True, rope_parameters=dict(
        rope_type="longrope", rope_theta=10000.0, partial_rotary_factor=0.5, short_factor=LONG,
        long_factor=[2.0] * 4, original_max_position_embeddings=128))),
    "olmo": ("olmo", dict(clip_qkv=1.5)),
    "olmo2": ("olmo2", {}),
    "olmo3": ("olmo3", dict(num_hidden_layers=4, sliding_window=8)),
    "olmo3-yarn": ("olmo3", dict(num_hidden_layers=4, sliding_window=8, rope_parameters=dict(
        full_attention=dict(rope_type="yarn", rope_theta=5e5, factor=4.0, original_max_position_embeddings=32),
        sliding_attention=dict(rope_type="default", rope_theta=5e5)))),
    "olmoe": ("olmoe", dict(num_experts=4, num_experts_per_tok=2)),
    "smollm3": ("smollm3", dict(num_hidden_layers=4)),
    "granite": ("granite", dict(embedding_multiplier=3.0, attention_multiplier=0.2, residual_multiplier=0.4,
                                logits_scaling=2.0)),
    "starcoder2": ("starcoder2", dict(sliding_window=8)),
    "stablelm": ("stablelm", dict(use_qkv_bias=True, rope_parameters=dict(
        rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5))),
    "glm4": ("glm4", dict(head_dim=8)),
    "cohere": ("cohere", dict(logit_scale=0.25, use_qk_norm=True)),
    "cohere2": ("cohere2", dict(num_hidden_layers=4, logit_scale=0.25, sliding_window=8)),
    "mixtral": ("mixtral", dict(num_local_experts=4, num_experts_per_tok=2)),
    "qwen2-moe": ("qwen2_moe", dict(EXPERTS, num_experts=4, shared_expert_intermediate_size=40, mlp_only_layers=[1])),
    "qwen3-moe": ("qwen3_moe", dict(EXPERTS, num_experts=4, head_dim=8, norm_topk_prob=True)),
    "gpt-oss": ("gpt_oss", dict(num_local_experts=4, num_experts_per_tok=2, head_dim=8, sliding_window=8,
                                rope_parameters=dict(rope_type="yarn", rope_theta=150000.0, factor=4.0, beta_fast=32.0,
                                                     beta_slow=1.0, truncate=False,
                                                     original_max_position_embeddings=32))),
    "llama4": ("llama4_text", dict(num_local_experts=4, attention_chunk_size=16, floor_scale=8,
                                   interleave_moe_layer_step=2)),
    "llama4-plain": ("llama4_text", dict(num_local_experts=4)),
}


def sizes_of(family):
    left_out, own = OWN_NAMES.get(family, ([], {}))
    return {**{k: v for k, v in SIZES.items() if k not in left_out}, **own}


def model_of(family, seed, settings):
    """A model whose states spread as those of trained ones do, in float32 with weights that bf16 holds."""
    config = transformers.AutoConfig.for_model(family, **{**sizes_of(family), **settings})
    # The fast products of experts know no float64.
    plain = dict(attn_implementation="eager", experts_implementation="eager")
    model = transformers.AutoModelForCausalLM.from_config(config, **plain).eval()
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=draw)
            if any(part in name for part in ("embed", "wte", "wpe", "sinks")):
                value = noise
            elif weight.dim() >= 2 and "norm" not in name:
                value = noise * 1.5 / min(weight.shape[-2:]) ** 0.5
            else:
                # Gemma's gains are what is added to 1.
                value = 0.1 * noise + (0 if "bias" in name or "gemma" in family else 1)
            weight.copy_(value.bfloat16().float())
    return model


def in_old_style(config):
    """config.json as transformers 4 wrote it."""
    rope = config.pop("rope_parameters", None)
    if rope is not None and "full_attention" in rope:
        local = rope["sliding_attention"]
        rope = rope["full_attention"]
        if local["rope_theta"] != rope["rope_theta"]:
            config["rope_local_base_freq"] = local["rope_theta"]
    if rope is not None:
        config["rope_theta"] = rope.pop("rope_theta")
        part = rope.pop("partial_rotary_factor", None)
        if part is not None:
            config["partial_rotary_factor"] = part
        stretched = rope.get("rope_type", "default") != "default"
        config["rope_scaling"] = rope if stretched else None
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


def make(family, out, seed, settings):
    """One folder, with the first seed from `seed` on whose greedy tokens do not hang on rounding."""
    while True:
        model = model_of(family, seed, settings)
        draw = np.random.default_rng(seed)
        texts = [draw.integers(3, model.config.vocab_size, length).tolist() for length in LENGTHS]
        tokens, gaps = zip(*(greedy(model, text) for text in texts))
        if min(gaps) > NEAR:
            break
        seed += 1
    out.mkdir(parents=True, exist_ok=True)
    # A copy: rotary frequencies, which are no weights, must not go through bf16.
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((out / "config.json").read_text())
    (out / "config_v4.json").write_text(json.dumps(in_old_style(config), indent=2) + "\n")

    middle = model.config.num_hidden_layers // 2 + 1
    logits = last(model, texts, -1)[1]
    exact = model.double()
    expected = {
        "name": out.name,
        "versions": {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__},
        "seed": seed,
        "input_ids": texts,
        "middle_layer_index": middle,
        "greedy": tokens,
        "smallest_gap": min(gaps),
        "sum_logprob_of_tokens_1_to_end": [log_probability(exact, t) if len(t) > 1 else None for t in texts],
    }
    (out / "expected.json").write_text(json.dumps(expected) + "\n")
    np.save(out / "last_hidden_f64.npy", last(exact, texts, -1)[0])
    np.save(out / "middle_hidden_f64.npy", last(exact, texts, middle)[0])
    np.save(out / "last_logits_f32.npy", logits.astype(np.float32))
    size = sum(file.stat().st_size for file in out.iterdir())
    print(f"{out}: {size / 1000:.0f} kB, logits to {abs(logits).max():.1f}, smallest gap {min(gaps):.2g}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", type=pathlib.Path, metavar="FOLDER", help="make every variant in a folder each")
    parser.add_argument("--only", action="append", default=[], metavar="VARIANT", help="with --all: these alone")
    parser.add_argument("family", nargs="?", help="a model_type of transformers: gpt2, llama, mistral, phi3, qwen2, …")
    parser.add_argument("out", nargs="?", type=pathlib.Path, help="the folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=JSON", help="a field of the configuration")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.all:
        for name, (family, settings) in VARIANTS.items():
            if not args.only or name in args.only:
                make(family, args.all / name, args.seed, settings)
        return
    settings = {field: json.loads(value) for field, value in (pair.split("=", 1) for pair in args.set)}
    make(args.family, args.out, args.seed, settings)


if __name__ == "__main__":
    main()
