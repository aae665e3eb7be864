"""Writes small files of texts by the tools' own writers, for `llmpr texts` to read: write-texts.py FOLDER

Each file holds the texts `text 0` to `text 9`, in that order, and expected.json says under which name `llmpr texts` is
asked for it. A tool that is not installed is left out: pyarrow, polars, datasets, inspect_ai, openai.
"""

import json
import os
import sys

TEXTS = [f"text {i}" for i in range(10)]


def arrow(folder):
    import pyarrow as pa
    import pyarrow.feather as feather
    import pyarrow.parquet as parquet

    kinds = {"string": pa.string(), "large": pa.large_string(), "view": pa.string_view()}
    for name, kind in kinds.items():
        table = pa.table({"id": range(10), "text": pa.array(TEXTS, kind)})
        with pa.OSFile(f"{folder}/{name}.arrow", "wb") as out, pa.ipc.new_stream(out, table.schema) as stream:
            stream.write_table(table, max_chunksize=3)
        yield f"{name}.arrow"
    table = pa.table({"id": range(10), "text": pa.array(TEXTS).dictionary_encode()})
    for codec in ("uncompressed", "lz4", "zstd"):
        feather.write_feather(table, f"{folder}/{codec}.feather", compression=codec)
        yield f"{codec}.feather"
    messages = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": text}] for text in TEXTS]
    table = pa.table({"messages": messages, "score": pa.array([0.5] * 10, pa.float16())})
    with pa.OSFile(f"{folder}/messages.arrow", "wb") as out, pa.ipc.new_file(out, table.schema) as file:
        file.write_table(table)
    yield "messages.arrow"
    table = pa.table({"text": TEXTS})
    for codec in ("snappy", "gzip", "brotli", "zstd", "lz4", "none"):
        parquet.write_table(table, f"{folder}/{codec}.parquet", compression=codec)
        yield f"{codec}.parquet"


def polars(folder):
    import polars as pl

    frame = pl.DataFrame({"doc": [{"query": "q", "id": str(i)} for i in range(10)],
                          "model_response": [{"text": [text]} for text in TEXTS]})
    frame.write_parquet(f"{folder}/polars.parquet")
    frame.write_ipc(f"{folder}/polars.arrow", compression="zstd")
    yield from ("polars.parquet", "polars.arrow")


def datasets(folder):
    import datasets

    data = datasets.Dataset.from_dict({"text": TEXTS, "label": [1] * 10})
    data.save_to_disk(f"{folder}/saved", num_shards=3)
    datasets.DatasetDict({"train": data.select(range(3)), "test": data}).save_to_disk(f"{folder}/splits")
    data.select(range(9, -1, -1)).select(range(9, -1, -1)).save_to_disk(f"{folder}/chosen")
    data.to_json(f"{folder}/packed.jsonl.gz")
    yield from ("saved", "splits:test", "splits/test", "chosen", "packed.jsonl.gz")


def inspect(folder):
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    for kind in ("eval", "json"):
        answers = [ModelOutput.from_content("mockllm", text) for text in TEXTS]
        for answer in answers:  # without it the tokens are counted by a file from the network
            answer.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        task = Task([Sample(input=f"question {i}", id=i) for i in range(5)], epochs=2)
        model = get_model("mockllm/model", custom_outputs=answers)
        log = eval(task, model=model, log_dir=f"{folder}/logs", log_format=kind, display="none",
                   max_samples=1, max_connections=1)[0]
        yield os.path.relpath(log.location.removeprefix("file://"), folder)


def openai(folder):
    from openai.types.chat import ChatCompletion
    from openai.types.responses import Response

    with open(f"{folder}/chat.jsonl", "w") as out:
        for i, text in enumerate(TEXTS):
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            answer = {"id": f"c{i}", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
            out.write(ChatCompletion.model_validate(answer).model_dump_json() + "\n")
    with open(f"{folder}/responses.jsonl", "w") as out:
        for i, text in enumerate(TEXTS):
            said = {"type": "output_text", "text": text, "annotations": []}
            message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [said]}
            thought = {"id": "t", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
            answer = {"id": f"r{i}", "object": "response", "created_at": 0, "model": "m", "output": [thought, message],
                      "parallel_tool_calls": False, "tool_choice": "auto", "tools": []}
            out.write(Response.model_validate(answer).model_dump_json() + "\n")
    yield from ("chat.jsonl", "responses.jsonl")


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    written = []
    for writer in (arrow, polars, datasets, inspect, openai):
        try:
            written += list(writer(folder))
        except ImportError as error:
            print(f"{writer.__name__} is left out: {error}", file=sys.stderr)
    with open(f"{folder}/expected.json", "w") as out:
        json.dump({"texts": TEXTS, "files": written}, out)


main()
