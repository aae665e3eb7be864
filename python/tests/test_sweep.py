"""Sweeps, run folders, completions, and functions in place of models."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import llmpr
import numpy as np
import pytest

SMALL = {"models": "tiny-bio", "temps": [0.5, 1.0], "shots": 0, "n": 30, "max_new_tokens": 40, "progress": False}
FEW = {"resamples": 10, "permutations": 9}
BARE = {"resamples": 0, "permutations": 0, "metrics": "precision,recall"}

pytestmark = pytest.mark.filterwarnings("ignore::llmpr.ScoreWarning")


def child(code, **more):
    here = str(pathlib.Path(llmpr.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, "PYTHONPATH": here}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return llmpr.sweep(**SMALL, **FEW, out=tmp_path_factory.mktemp("sweep") / "run")


def test_a_sweep_is_that_of_the_command_line(run, tmp_path):
    out = tmp_path / "cli"
    words = ["--models=tiny-bio", "--temps=0.5,1", "--shots=0", "-n30", "--max-new-tokens=40", "--resamples=10",
             "--permutations=9", f"--out={out}"]
    program = os.environ.get("LLMPR_BINARY")
    start = [program] if program else [sys.executable, "-m", "llmpr"]
    here = str(pathlib.Path(llmpr.__file__).parent.parent)
    subprocess.run([*start, "sweep", *words], check=True, capture_output=True, env={**os.environ, "PYTHONPATH": here})
    for name in ["results.csv", *(f"cells/{cell.id}/samples.jsonl" for cell in run)]:
        assert (out / name).read_bytes() == (run.folder / name).read_bytes(), name
    assert len(llmpr.Run(out)) == 2


def test_a_run_is_read(run):
    again = llmpr.Run(run.folder)
    assert len(again) == 2 and "2 of 2 cells" in repr(again)
    cell = again.cell(temperature=1)
    assert cell.temperature == 1 and cell.shots == 0 and cell.precision.low is not None and cell["recall"].value >= 0
    assert 0 <= cell.truth["recall"].value <= 1
    texts = again.texts(cell.id)
    assert len(texts) == 30 and texts[3].text and texts[3].prompt_id == texts[3]["prompt_id"]
    assert cell.features.shape[0] == 30 and isinstance(cell.features, np.memmap)
    assert again.reference_features.shape[0] == len(again.reference_texts)
    assert "precision_recall_plane" in again.figures and again.figures["precision_recall_plane"]._repr_svg_()
    assert again.report().is_file() and "<table>" in again._repr_html_()
    assert again.failed == [] and again.settings and again.results["schema"]
    for wrong, sentence in (({"temperature": 3}, "no cell with temperature=3"), ({"shots": 0}, "2 cells of")):
        with pytest.raises(llmpr.InputError, match=sentence):
            again.cell(**wrong)
    with pytest.raises(llmpr.InputError, match="no run folder"):
        llmpr.Run(run.folder / "cells")
    with pytest.raises(AttributeError, match="neither a setting nor a value"):
        _ = cell.warmth


def test_cells_are_a_frame(run):
    pytest.importorskip("pandas")
    frame = run.to_pandas()
    assert list(frame["temperature"]) == [0.5, 1.0] and {"precision", "precision_low", "true_recall"} <= set(frame)


def test_cells_are_compared_and_chosen(run):
    assert run.tune("precision>=0")
    assert run.compare(against="T=1")
    with pytest.raises(llmpr.InputError, match="precison|measure"):
        run.tune("precison>=0.9")


def test_a_plan_draws_nothing(tmp_path):
    plan = llmpr.sweep(**SMALL, out=tmp_path / "run", dry_run=True)
    assert "cells" in plan and not (tmp_path / "run" / "cells").exists()


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"temps": "0.2..x"}, "0.2..x"),
        ({"temps": []}, "temps is empty"),
        ({"tempz": 1}, "--tempz"),
        ({"models": "tiny-boi", "task": "synthetic-bio"}, "tiny-boi.*tiny-bio"),
        ({"models": []}, "models is empty"),
        ({"models": {"a,b": print}}, "without a comma"),
        ({"models": {"a": 3}}, "neither a function"),
        ({"reference": ["a", None]}, "text 1 is missing"),
        ({"n": 0}, "0|completion"),
        ({"threads": 0}, "threads = 0"),
        ({"pooling": {"a": 1}}, "pooling = .* is no word"),
    ],
)
def test_what_is_wrong_is_said(settings, sentence, tmp_path):
    with pytest.raises(llmpr.Error, match=sentence):
        llmpr.sweep(**{**SMALL, "out": tmp_path / "run", **settings})
    assert not (tmp_path / "run" / "cells").exists()


class Wrote:
    """Writes of its seed; breaks at the call of that number."""

    def __init__(self, breaks=None):
        self.calls, self.breaks = [], breaks

    def __call__(self, prompts, settings, seeds):
        self.calls.append((len(prompts), settings["temperature"]))
        if len(self.calls) == self.breaks:
            raise ZeroDivisionError("the engine broke")
        assert len(prompts) == len(seeds) and settings["max_new_tokens"] == 40 and isinstance(prompts[0], str)
        return [f"{seed} at {settings['temperature']}" for seed in seeds]


def of_function(function, out):
    return llmpr.sweep({"mine": function}, task="synthetic-bio", temps="0.5,1", shots=0, n=20, max_new_tokens=40, batch=8,
                       out=out, progress=False, **BARE)


def test_a_function_stands_for_a_model_and_is_gone_on_with(tmp_path):
    broken = Wrote(breaks=3)
    with pytest.raises(ZeroDivisionError, match="the engine broke") as caught:
        of_function(broken, tmp_path / "run")
    assert caught.traceback[-1].name == "__call__"
    kept = sum(len(cell.texts) for cell in llmpr.Run(tmp_path / "run").open_cells)
    assert kept == 16, "two batches of eight were finished"
    whole = Wrote()
    run = of_function(whole, tmp_path / "run")
    assert sum(size for size, _ in whole.calls) == 40 - kept
    fresh = of_function(Wrote(), tmp_path / "fresh")
    for cell in fresh:
        name = f"cells/{cell.id}/samples.jsonl"
        assert (run.folder / name).read_bytes() == (fresh.folder / name).read_bytes()
    assert len({text.text for cell in fresh for text in cell.texts}) == 40
    idle = Wrote()
    of_function(idle, tmp_path / "run")
    assert not idle.calls


@pytest.mark.parametrize(
    "gives, error, sentence",
    [
        (lambda prompts, settings, seeds: ["one"], ValueError, "it wrote 1 completions where 20 were asked for"),
        (lambda prompts, settings, seeds: "one", TypeError, "it gave one text"),
        (lambda prompts, settings, seeds: None, TypeError, "it gave NoneType"),
        (lambda prompts, settings, seeds: [3] * len(prompts), TypeError, "int as completion 0"),
        (lambda prompts, settings, seeds: [{}] * len(prompts), TypeError, "dict as completion 0"),
    ],
)
def test_what_a_function_gives_is_checked(gives, error, sentence, tmp_path):
    with pytest.raises(error, match=f"model `mine`: .*{sentence}"):
        llmpr.sweep({"mine": gives}, task="synthetic-bio", temps=1, shots=0, n=20, out=tmp_path / "run", progress=False)


def test_what_a_function_knows_is_kept(tmp_path):
    def knows(prompts, settings, seeds):
        return [{"text": f"text {seed}", "tokens": 7, "finish_reason": "length", "logprob": -3.5} for seed in seeds]

    run = llmpr.sweep(knows, task="synthetic-bio", temps=1, shots=0, n=20, out=tmp_path / "run", progress=False, **BARE)
    first = run.cells[0].texts[0]
    assert run.cells[0].model == "knows" and first.finish_reason == "length" and first.logprob == -3.5


def test_a_killed_sweep_goes_on(run, tmp_path):
    out = tmp_path / "run"
    code = f"import llmpr; llmpr.sweep(**{SMALL!r}, **{FEW!r}, out={str(out)!r})"
    process = child(code)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if any(path.stat().st_size > 2000 for path in out.glob("cells/*/samples.jsonl")):
            break
        time.sleep(0.01)
    process.kill()
    process.communicate()
    again = llmpr.sweep(**SMALL, **FEW, out=out)
    assert (again.folder / "results.csv").read_bytes() == (run.folder / "results.csv").read_bytes()


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    out = tmp_path / "run"
    code = f"""
        import time, llmpr
        def slow(prompts, settings, seeds):
            time.sleep(0.05)
            return [str(seed) for seed in seeds]
        try:
            llmpr.sweep({{"slow": slow}}, task="synthetic-bio", temps=1, shots=0, n=5000, batch=5, out={str(out)!r},
                        progress=False)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    process = child(code)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(out.glob("cells/*/samples.jsonl")):
        time.sleep(0.05)
    time.sleep(0.5)
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, err = process.communicate(timeout=60)
    assert said.strip() == "interrupted", err
    assert time.monotonic() - before < 3
    kept = llmpr.Run(out).open_cells[0].texts
    assert 0 < len(kept) < 5000


def test_completions_come_as_they_are_finished():
    settings = {"n": 3, "seed": 4, "max_new_tokens": 12, "temperature": 0.7}
    found = list(llmpr.sample("tiny-bio", ["Write a biography.\n\n- ", "Ada"], **settings))
    assert len(found) == 3 and {type(one) for one in found} == {type(found[0])}
    assert [one.text for one in found] == [one.text for one in llmpr.sample("tiny-bio", ["Write a biography.\n\n- ", "Ada"], **settings)]
    endless = llmpr.sample("tiny-bio", "Ada", n=100000, max_new_tokens=4)
    assert next(endless).prompt == "Ada"
    before = time.monotonic()
    endless.close()
    assert time.monotonic() - before < 6
    with pytest.raises(llmpr.InputError, match="tiny-boi"):
        next(llmpr.sample("tiny-boi", "Ada"))
    with pytest.raises(llmpr.InputError, match="temperature"):
        next(llmpr.sample("tiny-bio", "Ada", temperature=-1))
    with pytest.raises(llmpr.InputError, match="for llmpr.sweep"):
        llmpr.sample(print, "Ada")


def test_the_command_comes_with_the_module():
    out = subprocess.run([sys.executable, "-m", "llmpr", "--version"], capture_output=True, text=True,
                         env={**os.environ, "PYTHONPATH": str(pathlib.Path(llmpr.__file__).parent.parent)})
    assert out.stdout.split() == ["llmpr", llmpr.__version__]
    bad = subprocess.run([sys.executable, "-m", "llmpr", "score"], capture_output=True, text=True,
                         env={**os.environ, "PYTHONPATH": str(pathlib.Path(llmpr.__file__).parent.parent)})
    assert bad.returncode == 2 and "--reference" in bad.stderr


def test_a_run_that_is_being_written_is_read(tmp_path):
    seen = []

    def watches(prompts, settings, seeds):
        run = llmpr.Run(tmp_path / "run")
        seen.append((len(run.cells), sum(len(cell.texts) for cell in run.open_cells)))
        return [str(seed) for seed in seeds]

    llmpr.sweep(watches, task="synthetic-bio", temps=1, shots=0, n=20, batch=10, out=tmp_path / "run", progress=False, **BARE)
    assert seen == [(0, 0), (0, 10)]
    damaged = tmp_path / "run" / "results.json"
    damaged.write_text(damaged.read_text()[:100])
    with pytest.raises(llmpr.InputError, match="results.json` is damaged"):
        _ = llmpr.Run(tmp_path / "run").cells
    assert json.loads((tmp_path / "run" / "run.json").read_text())["cells"]


def test_the_wheel_has_the_command():
    program = pathlib.Path(sys.executable).parent / "llmpr"
    if not program.exists():
        pytest.skip("llmpr is not installed as a wheel here")
    out = subprocess.run([program, "slurm", "--help"], capture_output=True, text=True)
    assert out.returncode == 0 and "Usage: llmpr slurm" in out.stdout
