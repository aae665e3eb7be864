"""Decoding speed of transformers on CUDA for a shape with random weights.

    generate_cuda.py CONFIG.json [--batch 64,256] [--prompt-tokens 512] [--new-tokens 128]

Prints rows, prefill and decode tokens a second. Every row has the same prompt, as a sweep has; transformers
computes it once for each row.
"""

import argparse
import time

import torch
from transformers import AutoConfig, AutoModelForCausalLM


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("--batch", default="64,256")
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--new-tokens", type=int, default=128)
    args = parser.parse_args()
    config = AutoConfig.from_pretrained(args.config)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, torch_dtype=torch.bfloat16).eval()
    model.generation_config.eos_token_id = None
    prompt = torch.randint(config.vocab_size, (1, args.prompt_tokens), device="cuda")

    def seconds(rows, new):
        ids = prompt.expand(rows, -1)
        torch.cuda.synchronize()
        start = time.perf_counter()
        model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=1.0, top_k=0,
            max_new_tokens=new, min_new_tokens=new, pad_token_id=0,
        )
        torch.cuda.synchronize()
        return time.perf_counter() - start

    print(f"{'rows':>5} {'prefill tok/s':>14} {'decode tok/s':>14}")
    for rows in map(int, args.batch.split(",")):
        with torch.inference_mode():
            seconds(rows, 4)
            first = min(seconds(rows, 1) for _ in range(2))
            whole = min(seconds(rows, args.new_tokens) for _ in range(2))
        decode = rows * (args.new_tokens - 1) / (whole - first)
        print(f"{rows:>5} {rows * args.prompt_tokens / first:>14.1f} {decode:>14.1f}")


if __name__ == "__main__":
    main()
