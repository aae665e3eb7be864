"""The notebooks and the examples, executed."""

import json
import os
import pathlib
import re
import subprocess
import sys

import llmpr
import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent / "examples"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(pathlib.Path(llmpr.__file__).parent.parent), "MPLBACKEND": "Agg"}


@pytest.mark.parametrize("name", ["two_lists_of_texts", "sweep_of_the_bundled_world", "mauve_replaced"])
def test_a_notebook_runs(name, tmp_path):
    jupytext = pytest.importorskip("jupytext")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("matplotlib")
    pytest.importorskip("pandas")
    pytest.importorskip("ipykernel")
    notebook = jupytext.read(ROOT / "notebooks" / f"{name}.py")
    os.environ.setdefault("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if {"image/png", "image/svg+xml"} & set(output.get("data", {}))]
    assert pictures, "a notebook without a picture"
    (tmp_path / f"{name}.ipynb").write_text(jupytext.writes(notebook, fmt="ipynb"))
    if folder := os.environ.get("LLMPR_NOTEBOOKS"):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        (pathlib.Path(folder) / f"{name}.ipynb").write_text(jupytext.writes(notebook, fmt="ipynb"))


def test_a_task_of_lm_evaluation_harness_runs(tmp_path):
    pytest.importorskip("lm_eval")
    pytest.importorskip("datasets")
    lines = [json.dumps({"prompt": "Write.", "text": f"{name} was born in {year}."})
             for name in ("Ada", "Max", "Eva") for year in range(1900, 1908)]
    (tmp_path / "people.jsonl").write_text("\n".join(lines))
    for path in (ROOT / "python" / "lm_eval_task").iterdir():
        if path.is_file():
            (tmp_path / path.name).write_text(path.read_text())
    out = subprocess.run(
        [sys.executable, "-m", "lm_eval", "--model", "dummy", "--tasks", "llmpr_open_ended", "--include_path", "."],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True,
    )
    assert out.returncode == 0, out.stderr[-2000:]
    found = dict(re.findall(r"(precision|recall|mauve) *\|[^|]*\| *([0-9.]+)", out.stdout))
    assert set(found) == {"precision", "recall", "mauve"}, out.stdout
    assert float(found["precision"]) == 0


# Outputs that say what they used: inspect_ai 0.3.285 counts the tokens of others by a file from the network.
OF_INSPECT = """
from inspect_ai import eval
from inspect_ai.model import ModelOutput, ModelUsage, get_model

outputs = [ModelOutput.from_content("mockllm/model", f"{i} is no biography.") for i in range(24)]
for output in outputs:
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
[log] = eval("inspect_scorer.py", model=get_model("mockllm/model", custom_outputs=outputs), display="none", log_dir=".")
print(log.status, *(f"{name} {value.value}" for name, value in log.results.scores[0].metrics.items()))
"""


def test_a_scorer_of_inspect_runs(tmp_path):
    pytest.importorskip("inspect_ai")
    (tmp_path / "inspect_scorer.py").write_text((ROOT / "python" / "inspect_scorer.py").read_text())
    out = subprocess.run([sys.executable, "-c", OF_INSPECT], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr[-2000:]
    assert re.fullmatch(r"success precision [01]\.\d* recall 0\.0\n", out.stdout), out.stdout
