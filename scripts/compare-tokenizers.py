#!/usr/bin/env python3
"""Holds the tokenizers of GGUF files against llama.cpp's, id by id.

    python3 -m venv venv && venv/bin/pip install llama-cpp-python==0.3.36 gguf==0.19.0 tokenizers numpy
    venv/bin/python scripts/compare-tokenizers.py ids FOLDER --texts a.jsonl b.jsonl … --count 2000
    LLMPR_GGUF_VOCABULARIES=FOLDER cargo test --lib vocabularies_of_files
    venv/bin/python scripts/compare-tokenizers.py table FOLDER

FOLDER holds GGUF files; a vocabulary is enough, such as models/ggml-vocab-*.gguf in llama.cpp's sources. `ids` takes
`--count` texts of the JSON lines evenly from all files, adds the awkward ones below, and writes beside each GGUF file
what llama.cpp makes of them. The test writes what llmpr makes of them, and `table` counts where they are equal: ids
with special tokens written out in texts parsed, the same with BOS and EOS as the file asks for, and the bytes of all
tokens but special ones in a row.

    venv/bin/python scripts/compare-tokenizers.py small tests/tokenizers

makes small vocabularies of each kind and llama.cpp's ids of the awkward texts, for tests that need no Python.
"""

import argparse
import ctypes
import json
import pathlib
import subprocess
import sys

AWKWARD = [
    "",
    " ",
    "  ",
    "          ",
    " " * 70,
    "\n",
    "\n\n\n",
    "\r\n \r\n\t\n",
    "\t\ttab\tbetween\t",
    "a  b   c    d \n e\n\n  f \n",
    " leading and trailing ",
    "Hello, world! How's it going? I'LL'VE we'd 'S they're o'clock rock'n'roll",
    "'s 't 'RE 'Ve'm'll'D 'x ''' ' s",
    "1 12 123 1234 12345 1234567 12,345.678 0x1F 3.14e-10 a1b22c333 1a",
    "x1234  567\n89012",
    "٣٤٥ ½ ² Ⅷ १२३४ 一二三",
    "naïve café Ångström ÉCOLE CAFÉS éCole ǅungla",
    "e\u0301le\u0300ve A\u030angstro\u0308m q\u0323\u0307 \u0301",
    "नमस्ते दुनिया, কেমন আছো? สวัสดีชาวโลก",
    "你好，世界！今天天气很好。中文123混合English文本",
    "日本語のテキスト、カタカナとひらがな。ﾊﾝｶｸ",
    "한국어 텍스트입니다 ㄱㄴ",
    "Привет, мир! Ещё ЁЛКА Щи",
    "שלום עולם مرحبا بالعالم، كيف حالك؟ ۔",
    "🙂🙃 👩‍👩‍👧‍👦 🇩🇪🇯🇵 👍🏽 ❤️‍🔥 ☃",
    "\u00a0nbsp\u2003em\u3000wide\u2028line\u0085next\u200bzero\ufeff",
    "CamelCaseWords snake_case_words SCREAMING_CASE kebab-case HTTPServer iPhone",
    "for (int i=0; i<n; ++i) { a[i] += b[i]*c; }  // done\n\treturn 0;\n",
    "https://example.org/a/b?x=1&y=%20#z user@mail.example",
    "$5 + €7 = £12 ± 3% <=> ~ ^ | ` § ° © …",
    "!!! ??? ... --- ___ *** ((( )))",
    "a/b//c/\n/d\n\n//\n",
    ".Word -word (word) \"quoted\" 'single' «guillemets» ‘curly’ “double”",
    "end.\n\nNew paragraph.\n   Indented\n\n\n\nFar",
    "\u0000\u0001\u001b[0m\u007f",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ａｂｃ ＡＢＣ ０１２ ｶﾞ ﬁ ß ſ 'ſ",
    "word" + " " * 20 + "word\t\t\n  \n word",
    "<|endoftext|>text<|user|>  <|user|> \n<b>bold</b> <s>x</s> <|im_end|>",
    "<s>", "</s>\n", "<|endoftext|>", "<0x0A> <0x41>",
    "▁under▁ ▁▁ __",
    "IMGIMGABCZ <sentinel:12>x    y",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaa",
    "Supercalifragilisticexpialidocious antidisestablishmentarianism",
    "\U00010400\U0001F9D9\u20ac\U0002F800\u4e00",
]


def texts_of(files, count):
    """`count` texts, evenly from the files and evenly within each."""
    lines = [pathlib.Path(file).read_text(encoding="utf-8").split("\n") for file in files]
    lines = [[line for line in rows if line.strip()] for rows in lines]
    shares = [0] * len(files)
    while sum(shares) < min(count, sum(map(len, lines))):
        i = min((i for i in range(len(files)) if shares[i] < len(lines[i])), key=lambda i: shares[i])
        shares[i] += 1
    pick = lambda rows, share: [rows[j * len(rows) // share] for j in range(share)]
    return [json.loads(line)["text"] for rows, share in zip(lines, shares) for line in pick(rows, share)]


class Peer:
    """llama.cpp with the vocabulary of one file."""

    def __init__(self, path):
        import llama_cpp

        self.api = llama_cpp
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.quiet, ctypes.c_void_p(0))
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise SystemExit(f"{path}: llama.cpp cannot load it")
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)

    def ids(self, text, special):
        raw = text.encode()
        room = len(raw) + 16
        out = (self.api.llama_token * room)()
        n = self.api.llama_tokenize(self.vocab, raw, len(raw), out, room, special, True)
        assert n >= 0, (n, text)
        return list(out[:n])

    def bytes(self, ids):
        out = b""
        buffer = ctypes.create_string_buffer(4096)
        for token in ids:
            n = self.api.llama_token_to_piece(self.vocab, token, buffer, 4096, 0, False)
            assert n >= 0, n
            out += buffer.raw[:n]
        return out

    def answers(self, texts):
        ids = [self.ids(text, False) for text in texts]
        return {
            "ids": ids,
            "special": [self.ids(text, True) for text in texts],
            "bytes": [self.bytes(row).hex() for row in ids],
            "ends": [t for t in range(self.api.llama_vocab_n_tokens(self.vocab)) if self.api.llama_vocab_is_eog(self.vocab, t)],
        }


def ids(args):
    folder = pathlib.Path(args.folder)
    if args.one:
        texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
        answers = Peer(args.one).answers(texts)
        pathlib.Path(args.one).with_suffix(".llama.json").write_text(json.dumps(answers))
        return
    texts = AWKWARD + texts_of(args.texts, args.count)
    (folder / "texts.json").write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
    for path in sorted(folder.glob("*.gguf")):
        # llama.cpp ends its process where a vocabulary breaks what it takes for granted.
        run = [sys.executable, __file__, "ids", args.folder, "--one", str(path)]
        result = subprocess.run(run, capture_output=True, text=True)
        said = (result.stderr.strip().split("\n") or [""])[-1]
        print(f"{path.name}: {len(texts)} texts" if result.returncode == 0 else f"{path.name}: failed: {said}")


def table(args):
    print("| vocabulary | texts | ids equal | with BOS and EOS | bytes equal | ends equal |\n|---|---:|---:|---:|---:|---|")
    worst = []
    folder = pathlib.Path(args.folder)
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    for path in sorted(folder.glob("*.llama.json")):
        name = path.name.removesuffix(".llama.json")
        ours_path = path.with_name(f"{name}.llmpr.json")
        if not ours_path.exists():
            print(f"| {name} | not read by llmpr | | | | |")
            continue
        theirs, ours = json.loads(path.read_text()), json.loads(ours_path.read_text())
        equal = lambda key: sum(a == b for a, b in zip(theirs[key], ours[key], strict=True))
        same_ends = "yes" if sorted(ours["ends"]) == theirs["ends"] else f"{sorted(ours['ends'])} for {theirs['ends']}"
        print(f"| {name} | {len(texts)} | {equal('ids')} | {equal('special')} | {equal('bytes')} | {same_ends} |")
        for key in ("ids", "special", "bytes"):
            wrong = [i for i, (a, b) in enumerate(zip(theirs[key], ours[key])) if a != b]
            worst += [(name, key, texts[i], theirs[key][i], ours[key][i]) for i in wrong[: args.show]]
    for name, key, text, theirs, ours in worst:
        i = next((i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b), min(len(theirs), len(ours)))
        print(f"\n{name} {key}: {text[:120]!r}\n  llama.cpp {theirs[max(0, i - 2) : i + 8]}\n  llmpr     {ours[max(0, i - 2) : i + 8]}")


def kinds():
    """A vocabulary for every `tokenizer.ggml.pre` that cuts in a way of its own, and the other models."""
    bytes_ = (
        "default gpt-2 smollm llama-bpe dbrx glm4 qwen2 qwen35 laguna ufakzeka jais-2 minicpm5 seed-coder bailingmoe "
        "exaone-moe tekken gpt-4o granite-embed-multi-97m tiny_aya youtu kimi-k2 deepseek-llm deepseek-coder deepseek-v3 "
        "spark2_5 afmoe falcon bloom viking chameleon superbpe"
    ).split()
    return [("gpt2", pre) for pre in bytes_] + [("gemma4", "gemma4"), ("gpt2", "sarvam-moe"), ("llama", "default")]


def small(args):
    import gguf
    import tempfile
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    out = pathlib.Path(args.folder)
    out.mkdir(parents=True, exist_ok=True)
    # Merges that were learned without cuts cross every boundary that a cut makes, so that ids show the cuts.
    lines = pre_tokenizers.Split(Regex(r"[^\n]+|\n+"), "isolated")
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    corpus = [text for text in AWKWARD for _ in range(2)]

    def train(size, alphabet, *steps):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*steps])
        trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False, min_frequency=2)
        tokenizer.train_from_iterator(corpus, trainer)
        model = json.loads(tokenizer.to_str())["model"]
        tokens = sorted(model["vocab"], key=model["vocab"].get)
        return tokens, [" ".join(pair) for pair in model["merges"]]

    def typed(tokens, marks, byte_tokens):
        rows = [(token, kind) for token, kind in marks]
        rows += [(f"<0x{byte:02X}>", 6) for byte in range(256)] if byte_tokens else []
        seen = {token for token, _ in rows}
        return rows + [(token, 1) for token in dict.fromkeys(tokens) if token not in seen]

    marks = [("<unk>", 2), ("<|endoftext|>", 3), ("<|user|>", 4), ("<b>", 4), ("</b>", 3), ("[unused1]", 5)]
    tokens, merges = train(1200, pre_tokenizers.ByteLevel.alphabet(), lines, letters)
    vocabularies = {"bytes": dict(rows=typed(tokens, marks, False), merges=merges)}
    spaces = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="never", split=False)
    tokens, merges = train(700, [], spaces, lines)
    marks += [(" " * n, 4) for n in (2, 3, 5)]
    rows = typed([*tokens, "\n\n\n", "\n\n"], marks, True)
    vocabularies["characters"] = dict(rows=rows, merges=merges)
    # As SentencePiece numbers them: the earlier a merge, the higher the score; some are equal.
    order = {"".join(merge.split(" ")): i for i, merge in enumerate(merges)}
    vocabularies["scores"] = dict(
        rows=rows, scores=[-float(order.get(token, -1) // 3 * 2) if kind == 1 else 0.0 for token, kind in rows]
    )
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        for model, pre in kinds():
            which = {"llama": "scores", "gemma4": "characters"}.get(model, "bytes")
            which = "characters" if pre == "sarvam-moe" else which
            vocabulary = vocabularies[which]
            path = pathlib.Path(folder) / "vocabulary.gguf"
            writer = gguf.GGUFWriter(str(path), "llama")
            writer.add_tokenizer_model(model)
            writer.add_tokenizer_pre(pre)
            writer.add_token_list([token for token, _ in vocabulary["rows"]])
            writer.add_token_types([kind for _, kind in vocabulary["rows"]])
            if which == "scores":
                writer.add_token_scores(vocabulary["scores"])
            else:
                writer.add_token_merges(vocabulary["merges"])
            writer.add_bos_token_id(1)
            writer.add_eos_token_id(1)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.close()
            answers = json.loads(
                subprocess.run(
                    [sys.executable, __file__, "one", str(path)], check=True, stdout=subprocess.PIPE, text=True
                ).stdout
            )
            bos = answers["special"][0][:1] == [1]
            cases.append(dict(model=model, pre=pre, vocabulary=which, bos=bos, ids=answers["ids"], bytes=answers["bytes"]))
    # The bytes are those of the vocabulary: once for each.
    for vocabulary in vocabularies.values():
        vocabulary["tokens"], vocabulary["types"] = zip(*vocabulary.pop("rows"))
    for case in cases:
        whole = case.pop("bytes")
        vocabularies[case["vocabulary"]].setdefault("decoded", whole)
    line = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    parts = [f'"texts":{line(AWKWARD)}']
    parts += [f'"vocabularies":{{\n' + ",\n".join(f'"{k}":{line(v)}' for k, v in vocabularies.items()) + "}"]
    parts += ['"cases":[\n' + ",\n".join(line(case) for case in cases) + "]"]
    (out / "llama_cpp.json").write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


def one(args):
    print(json.dumps(Peer(args.folder).answers(AWKWARD)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("step", choices=["ids", "table", "small", "one"])
    parser.add_argument("folder")
    parser.add_argument("--texts", nargs="*", default=[])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--show", type=int, default=2)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    {"ids": ids, "table": table, "small": small, "one": one}[args.step](args)


if __name__ == "__main__":
    main()
