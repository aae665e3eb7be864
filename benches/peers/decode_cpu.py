"""Decoding speed on the CPU beside transformers and llama.cpp, taken in turns.

    decode_cpu.py LLMPR MODEL.gguf [--rows 1,16,64] [--new-tokens 24] [--turns 3] [--threads 2]

LLMPR is the release program, MODEL.gguf SmolLM2-135M (scripts/get-smollm2.sh); `llmpr auto` multiplies its blocks,
`llmpr f32` widens them. transformers runs the same shape with random weights, which takes as long. llama.cpp
is timed as it comes and, as `llama.cpp plain`, without weights in an order of its own, which it has for AMX and
some types. Each turn times every program once; printed are the fastest turns, in new tokens a second, and ours
over each peer's. A peer that is not installed is left out.
"""

import argparse
import re
import subprocess
import time

PROMPT = 16


def ours(args, dtype):
    def run(rows):
        command = [args.llmpr, "models", "bench", args.model, "--device", "cpu", "--dtype", dtype,
                   "--batch", str(rows), "--prompt-tokens", str(PROMPT), "--new-tokens", str(args.new_tokens)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        share = re.search(r"\((\d+) %\)", lines[-1])
        run.share = f"{share.group(1)} % of the f32 peak" if share else ""
        return float(lines[-1].split()[2])

    return run


def transformers(args, dtype):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(args.threads)
    config = LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=2048, tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config).to(getattr(torch, dtype)).eval()
    model.generation_config.eos_token_id = None

    def seconds(rows, new):
        ids = torch.randint(49152, (rows, PROMPT))
        start = time.perf_counter()
        with torch.inference_mode():
            model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=True, top_k=0,
                           max_new_tokens=new, min_new_tokens=new, pad_token_id=0)
        return time.perf_counter() - start

    def run(rows):
        first = seconds(rows, 1)
        return rows * (args.new_tokens - 1) / (seconds(rows, args.new_tokens) - first)

    return run


def llama_cpp(args, reorder=True):
    import ctypes

    import llama_cpp as ll
    import numpy as np

    ll.llama_backend_init()
    params = ll.llama_model_default_params()
    params.use_extra_bufts = reorder
    model = ll.llama_model_load_from_file(args.model.encode(), params)
    most = max(map(int, args.rows.split(",")))
    context = ll.llama_context_default_params()
    context.n_ctx = most * (PROMPT + args.new_tokens + 8)
    context.n_batch = context.n_ubatch = max(512, most)
    context.n_seq_max = most
    context.n_threads = context.n_threads_batch = args.threads
    state = ll.llama_init_from_model(model, context)
    vocab = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(model))
    rng = np.random.default_rng(0)

    def decode(tokens, position, rows):
        batch = ll.llama_batch_init(rows, 0, 1)
        batch.n_tokens = rows
        for i in range(rows):
            batch.token[i], batch.pos[i] = int(tokens[i]), position
            batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = 1, i, True
        assert ll.llama_decode(state, batch) == 0
        ll.llama_batch_free(batch)

    def draw(row):
        logits = np.ctypeslib.as_array(
            ctypes.cast(ll.llama_get_logits_ith(state, row), ctypes.POINTER(ctypes.c_float)), (vocab,))
        weights = np.exp(logits - logits.max())
        return np.searchsorted(np.cumsum(weights), rng.random() * weights.sum())

    def run(rows):
        ll.llama_memory_clear(ll.llama_get_memory(state), True)
        tokens = rng.integers(0, vocab, rows)
        for position in range(PROMPT):
            decode(tokens, position, rows)
        # Its own steps alone: the draws here are numpy's.
        seconds = 0.0
        for position in range(PROMPT, PROMPT + args.new_tokens):
            start = time.perf_counter()
            decode(tokens, position, rows)
            seconds += time.perf_counter() - start
            tokens = [draw(i) for i in range(rows)]
        return rows * args.new_tokens / seconds

    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("llmpr")
    parser.add_argument("model")
    parser.add_argument("--rows", default="1,16,64")
    parser.add_argument("--new-tokens", type=int, default=24)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    programs = {f"llmpr {dtype}": ours(args, dtype) for dtype in ("auto", "f32", "bf16")}
    mine = list(programs)
    makers = {
        "transformers f32": lambda: transformers(args, "float32"),
        "transformers bf16": lambda: transformers(args, "bfloat16"),
        "llama.cpp": lambda: llama_cpp(args),
        "llama.cpp plain": lambda: llama_cpp(args, reorder=False),
    }
    for name, make in makers.items():
        try:
            programs[name] = make()
        except ImportError as error:
            print(f"without {name}: {error}")
    for rows in map(int, args.rows.split(",")):
        speeds = {name: [] for name in programs}
        for _ in range(args.turns):
            for name, run in programs.items():
                speeds[name].append(run(rows))
        best = {name: max(all) for name, all in speeds.items()}
        print(f"{rows} rows")
        for name, speed in best.items():
            ratios = "  ".join(f"{us} {best[us] / speed:.2f}x" for us in mine)
            print(f"  {name:<18} {speed:8.1f} tokens/s   {ratios}  {getattr(programs[name], 'share', '')}")


if __name__ == "__main__":
    main()
