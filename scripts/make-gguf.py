#!/usr/bin/env python3
"""Puts model.gguf beside tiny checkpoints, converted by llama.cpp's own converter, for the tests of GGUF files.

    git clone https://github.com/ggml-org/llama.cpp
    venv/bin/python scripts/make-gguf.py llama.cpp checkpoints/*

Folders come from `scripts/make-checkpoint.py` and have no vocabulary, so none is written. `fused.gguf` is the same with
queries, keys and values in one tensor, where the converter can. Weights are bf16, as they are in the folders. A folder
whose architecture the converter does not know, or whose configuration it refuses, is named and left alone.
"""

import argparse
import json
import logging
import pathlib
import shutil
import sys
import tempfile

# What the converter looks for under the names of transformers 4.
OLDER = {
    "gpt2": lambda c: dict(n_ctx=c["n_positions"]),
    "gpt_neox": lambda c: dict(rotary_pct=c["rope_parameters"]["partial_rotary_factor"]),
    "cohere2": lambda c: dict(rotary_pct=1.0),
}

# Fields that a converted file does not hold, and which of their values are lost with them.
UNSAID = {
    "query_pre_attn_scalar": lambda c, value: value != c["head_dim"],
    "attention_chunk_size": lambda c, value: value != 8192,
    "scale_attn_by_inverse_layer_idx": lambda c, value: value,
    "sliding_window": lambda c, value: c["model_type"] in ("mistral", "qwen2", "starcoder2") and value,
    "mscale": lambda c, value: c["model_type"] == "llama",
}


def convert(folder, out, fused):
    import conversion
    import gguf
    import tokenizers

    with tempfile.TemporaryDirectory() as copy:
        copy = pathlib.Path(copy)
        for file in ["config.json", "model.safetensors"]:
            shutil.copy(folder / file, copy)
        config = json.loads((copy / "config.json").read_text())
        for field, unsaid in UNSAID.items():
            value = config.get(field) or (config.get("rope_parameters") or {}).get(field)
            if value is not None and unsaid(config, value):
                raise ValueError(f"the converter has no place for `{field}` = {value}")
        # Some look at a vocabulary although they write none.
        words = {f"w{i}": i for i in range(config["vocab_size"])}
        tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="w0"))
        tokenizer.save(str(copy / "tokenizer.json"))
        (copy / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
        fields = conversion.ModelBase.load_hparams(copy, False)
        fields.update(OLDER.get(config["model_type"], lambda _: {})(config))
        kind = conversion.ModelType.TEXT
        known = conversion.get_model_class(conversion.get_model_architecture(fields, kind))

        class WithoutVocabulary(known):
            model_arch = known.model_arch

            def set_vocab(self):
                pass

        kind = gguf.LlamaFileType.MOSTLY_BF16
        WithoutVocabulary(copy, kind, out, eager=True, fuse_qkv=fused, hparams=fields).write()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("llama_cpp", type=pathlib.Path, help="a checkout of llama.cpp")
    parser.add_argument("folders", type=pathlib.Path, nargs="+")
    args = parser.parse_args()
    sys.path[:0] = [str(args.llama_cpp), str(args.llama_cpp / "gguf-py")]
    logging.disable(logging.WARNING)
    import torch

    torch.set_num_threads(1)
    with torch.inference_mode():
        for folder in args.folders:
            for name, fused in (("model", False), ("fused", True)):
                out = folder / f"{name}.gguf"
                try:
                    convert(folder, out, fused)
                    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")
                except (NotImplementedError, KeyError, ValueError, OSError) as e:
                    out.unlink(missing_ok=True)
                    print(f"{out}: left out: {e}")


if __name__ == "__main__":
    main()
