"""Embedding 1000 texts of 50 to 400 tokens with a GPT-2-small shape, beside transformers' padded batches.

    embed_cpu.py LLMPR FOLDER [--texts 1000] [--turns 2] [--threads 2] [--batch 16]

Makes a model with random weights in FOLDER and token ids beside it; both programs embed them by the last
token's final hidden state, in f32, in turns. transformers sorts the texts by length, which spares it most of
the padding. Prints seconds, the ratio and the largest difference between vectors. Needs torch and transformers.
"""

import argparse
import json
import pathlib
import subprocess
import time

import numpy as np
import torch
from transformers import GPT2Config, GPT2Model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("llmpr")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    folder = args.folder / "gpt2-small-random"
    if not folder.exists():
        GPT2Model(GPT2Config()).save_pretrained(folder)
    model = GPT2Model.from_pretrained(folder).eval()
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 50257, rng.integers(50, 401)).tolist() for _ in range(args.texts)]
    ids, out = args.folder / "ids.jsonl", args.folder / "ours.npy"
    ids.write_text("".join(json.dumps(text) + "\n" for text in texts))

    def ours():
        out.unlink(missing_ok=True)
        start = time.perf_counter()
        subprocess.run(
            [args.llmpr, "embed", "--embedder", folder, "--token-ids", "--pooling", "last", "--device", "cpu",
             "--dtype", "f32", ids, "-o", out],
            check=True, capture_output=True)
        return time.perf_counter() - start

    def theirs():
        vectors = np.zeros((len(texts), 768), np.float32)
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        start = time.perf_counter()
        with torch.inference_mode():
            for at in range(0, len(order), args.batch):
                rows = order[at:at + args.batch]
                longest = max(len(texts[i]) for i in rows)
                batch = torch.tensor([texts[i] + [0] * (longest - len(texts[i])) for i in rows])
                mask = torch.tensor([[1] * len(texts[i]) + [0] * (longest - len(texts[i])) for i in rows])
                states = model(batch, attention_mask=mask).last_hidden_state
                for row, i in enumerate(rows):
                    vectors[i] = states[row, len(texts[i]) - 1]
        return time.perf_counter() - start, vectors

    best = [float("inf")] * 2
    for _ in range(args.turns):
        best[0] = min(best[0], ours())
        seconds, vectors = theirs()
        best[1] = min(best[1], seconds)
    tokens = sum(map(len, texts))
    print(f"{len(texts)} texts, {tokens} tokens")
    print(f"llmpr, with loading  {best[0]:8.1f} s  {tokens / best[0]:8.0f} tokens/s")
    print(f"transformers         {best[1]:8.1f} s  {tokens / best[1]:8.0f} tokens/s")
    print(f"ratio {best[1] / best[0]:.2f}, largest difference {np.abs(np.load(out) - vectors).max():.1e}")


if __name__ == "__main__":
    main()
