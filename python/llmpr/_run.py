"""Sweeps, and the folders that they leave."""

from __future__ import annotations

import json
import os
import warnings
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union, cast

from . import _arrays
from ._errors import InputError
from ._log import info
from ._plot import Svg
from ._progress import Bar, Quiet
from ._score import Score, Value
from ._words import asked, flags

if TYPE_CHECKING:
    import pathlib

    import numpy as np
    import numpy.typing as npt

    from ._sample import Completion

__all__ = ["Cell", "Run", "RunWarning", "sweep"]

Generate = Callable[[List[Any], Dict[str, Any], List[int]], Sequence[Union[str, Mapping[str, Any]]]]


class RunWarning(UserWarning):
    """Some cells of a run have no result."""


class Cell:
    """One point of a sweep: a model, a task, shots, settings and a seed.

    Settings and values are attributes and items: ``cell.temperature``, ``cell.precision.value``, ``cell["alpha@1"]``.
    """

    def __init__(self, folder: pathlib.Path, record: Dict[str, Any], result: Optional[Dict[str, Any]] = None) -> None:
        self._folder = folder
        self._record = record
        self._result = result
        self._score = Score(json.dumps(result["score"])) if result is not None else None

    @property
    def id(self) -> str:
        """Its name: a hash of what determines its texts."""
        return str(self._record["id"])

    @property
    def model(self) -> str:
        """The model, as it was named."""
        return str(self._record["model"])

    @property
    def shots(self) -> int:
        """In-context examples before each prompt."""
        return int(self._record["shots"])

    @property
    def settings(self) -> Dict[str, Any]:
        """The decoding settings that were set, temperature included."""
        return dict(self._record["decoding"])

    @property
    def record(self) -> Dict[str, Any]:
        """All that determines its texts (schema ``llmpr.cell/1``)."""
        return dict(self._record)

    @property
    def score(self) -> Optional[Score]:
        """Its score; ``None`` while it has none."""
        return self._score

    @property
    def truth(self) -> Dict[str, Value]:
        """Exact values, where the task's distribution is known."""
        found = (self._result or {}).get("truth") or {}
        return {
            name: Value(
                *(None if value.get(key) is None else float(value[key])
                  for key in ("value", "low", "high", "ceiling", "p_value"))  # type: ignore[arg-type]
            )
            for name, value in found.items()
        }

    def _path(self, name: str) -> pathlib.Path:
        return self._folder / "cells" / self.id / name

    @property
    def texts(self) -> List["Completion"]:
        """All completions that are there, in the order of their file."""
        from ._sample import read

        path = self._path("samples.jsonl")
        return read(path) if path.exists() else []

    @property
    def features(self) -> "npt.NDArray[np.float32]":
        """Rows of its texts, n × d, mapped into memory from the run folder."""
        return _features(self._path("features.npy"), f"cell {self.id}")  # type: ignore[no-any-return]

    def __getitem__(self, name: str) -> Value:
        if self._score is None:
            raise KeyError(f"cell {self.id} has no score yet")
        return self._score[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._record["decoding"]:
            return self._record["decoding"][name]
        if name in self._record:
            return self._record[name]
        if self._score is not None and name in self._score:
            return self._score[name]
        raise AttributeError(f"cell {self.id} has neither a setting nor a value `{name}`")

    def __repr__(self) -> str:
        of = ", ".join(f"{name}={value:g}" for name, value in self.settings.items())
        values = ""
        if self._score is not None and "precision" in self._score and "recall" in self._score:
            values = f": precision {self._score.precision}, recall {self._score.recall}"
        return f"<llmpr.Cell {self.id} {self.model} shots={self.shots} {of}{values}>"


def _features(path: pathlib.Path, what: str) -> Any:
    import numpy as np

    if not path.exists():
        raise InputError(f"{what} has no features yet (`{path}`); run the sweep to its end")
    return np.load(path, mmap_mode="r", allow_pickle=False)


class Run:
    """A run folder, of :func:`llmpr.sweep` or of the command line, finished or not.

    It is read anew whenever it changed, so that a run which is being written can be watched.
    """

    def __init__(self, folder: Union[str, "os.PathLike[str]"]) -> None:
        import pathlib

        self.folder = pathlib.Path(folder)
        if not (self.folder / "run.json").is_file():
            raise InputError(f"`{self.folder}` is no run folder: it has no run.json")
        self._failed: List[Tuple[str, str, str]] = []

    def __repr__(self) -> str:
        return f"<llmpr.Run {str(self.folder)!r}: {len(self.cells)} of {len(self.record['cells'])} cells scored>"

    def _json(self, name: str) -> Optional[Dict[str, Any]]:
        path = self.folder / name
        try:
            read: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise InputError(f"`{path}` is damaged ({error}); the same sweep writes it anew") from None
        return read

    @property
    def record(self) -> Dict[str, Any]:
        """What was asked, by whom and when (``run.json``)."""
        return self._json("run.json") or {}

    @property
    def settings(self) -> Dict[str, Any]:
        """Settings that all cells share."""
        return dict(self.record.get("shared", {}))

    @property
    def results(self) -> Dict[str, Any]:
        """The object in ``results.json``; without cells where nothing is scored yet."""
        return self._json("results.json") or {"cells": [], "failed": []}

    @property
    def failed(self) -> List[Dict[str, str]]:
        """Cells without a result, each with ``id``, ``label`` and ``message``."""
        if self._failed:
            return [dict(zip(("id", "label", "message"), cell)) for cell in self._failed]
        return list(self.results.get("failed", []))

    @property
    def cells(self) -> List[Cell]:
        """Cells that have a score, in the order of the grid."""
        return [Cell(self.folder, result["cell"], result) for result in self.results["cells"]]

    @property
    def open_cells(self) -> List[Cell]:
        """Cells of the plan that have a folder and no score yet."""
        scored = {cell.id for cell in self.cells}
        out = []
        for name in self.record.get("cells", []):
            path = self.folder / "cells" / name / "cell.json"
            if name not in scored and path.is_file():
                out.append(Cell(self.folder, json.loads(path.read_text(encoding="utf-8"))))
        return out

    def cell(self, name: Optional[str] = None, **settings: Any) -> Cell:
        """The one cell of that id, or with those settings: ``run.cell(model="tiny-bio", temperature=0.8, shots=0)``.

        Raises
        ------
        llmpr.InputError
            Where there is none, or more than one.
        """
        found = [*self.cells, *self.open_cells]
        if name is not None:
            found = [cell for cell in found if cell.id.startswith(name)]
        for key, value in settings.items():
            found = [cell for cell in found if _matches(cell, key, value)]
        asked_for = ", ".join([*([name] if name else []), *(f"{key}={value!r}" for key, value in settings.items())])
        if not found:
            raise InputError(f"`{self.folder}` has no cell with {asked_for}")
        if len(found) > 1:
            raise InputError(f"{len(found)} cells of `{self.folder}` have {asked_for}; say more of it")
        return found[0]

    def texts(self, cell: Union[str, Cell]) -> List["Completion"]:
        """Completions of a cell, or of the cell of that id."""
        return (cell if isinstance(cell, Cell) else self.cell(cell)).texts

    def features(self, cell: Union[str, Cell]) -> "npt.NDArray[np.float32]":
        """Features of a cell, or of the cell of that id."""
        return (cell if isinstance(cell, Cell) else self.cell(cell)).features

    @property
    def reference_texts(self) -> List[str]:
        """The reference that all cells are scored against."""
        path = self.folder / "reference" / "texts.jsonl"
        return [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]

    @property
    def reference_features(self) -> "npt.NDArray[np.float32]":
        """Its rows, mapped into memory."""
        return _features(  # type: ignore[no-any-return]
            self.folder / "reference" / "features.npy", "the reference"
        )

    @property
    def figures(self) -> Dict[str, Svg]:
        """The figures by name; a notebook shows one."""
        found = sorted((self.folder / "figures").glob("*.svg"))
        return {path.stem: Svg(path.read_text(encoding="utf-8")) for path in found}

    def report(self) -> pathlib.Path:
        """Make page, figures and tables anew; the page's path."""
        asked(["report", str(self.folder)], json_out=False)
        return self.folder / "report.html"

    def to_pandas(self) -> Any:
        """A data frame, a row a cell: settings, then for each measure its value, ``_low``, ``_high``, ``_ceiling`` and
        ``_p``, and exact values as ``true_…``."""
        import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]

        rows = []
        for cell in self.cells:
            record = cell.record
            row: Dict[str, Any] = {"cell": cell.id, "model": cell.model, "task": record["task"], "shots": cell.shots}
            row.update(cell.settings)
            row.update(seed=record["seed"], n=record["n_samples"])
            for name, value in (cell.score.metrics if cell.score is not None else {}).items():
                row[name] = value.value
                for part in ("low", "high", "ceiling", "p"):
                    if getattr(value, part) is not None:
                        row[f"{name}_{part}"] = getattr(value, part)
            row.update({f"true_{name}": value.value for name, value in cell.truth.items()})
            rows.append(row)
        return pandas.DataFrame(rows)

    def compare(self, *others: Union["Run", str], against: Optional[str] = None, **settings: Any) -> Any:
        """What ``llmpr compare`` says of these cells (and of `others`), as the object of its JSON."""
        paths = [str(other.folder if isinstance(other, Run) else other) for other in (self, *others)]
        return asked(["compare", *paths, "--format=json", *flags({"against": against, **settings})])

    def tune(self, require: Union[str, Sequence[str], None] = None, **settings: Any) -> Any:
        """What ``llmpr tune`` says of these cells, as the object of its JSON: ``run.tune("precision>=0.9")``."""
        wanted = [require] if isinstance(require, str) else list(require or [])
        words = [word for each in wanted for word in ("--require", each)]
        return asked(["tune", str(self.folder), "--format=json", *words, *flags(settings)])

    def refine(self, cell: Union[str, Cell], budget: float, **settings: Any) -> Any:
        """Keep one in `budget` of a cell's completions by optimal budgeted rejection sampling, as ``llmpr refine`` does;
        gives the completions that are kept."""
        import pathlib
        import tempfile

        from ._sample import read

        one = cell if isinstance(cell, Cell) else self.cell(cell)
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "kept.jsonl")
            reference, samples = self.folder / "reference" / "texts.jsonl", one._path("samples.jsonl")
            words = ["refine", f"--reference={reference}", f"--samples={samples}", f"--budget={budget}", f"--out={out}"]
            embedder = settings.pop("embedder", None) or self.settings.get("embedder")
            asked([*words, *flags({"embedder": embedder, **settings})], json_out=False)
            return read(pathlib.Path(out))

    def __iter__(self) -> Iterator[Cell]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def _repr_html_(self) -> str:
        import html

        rows = []
        for cell in self.cells:
            of = ", ".join(f"{name} {value:g}" for name, value in cell.settings.items())
            values = []
            for name in ("precision", "recall", "density", "coverage", "mauve"):
                value = cell.score.metrics.get(name) if cell.score is not None else None
                values.append("" if value is None else f"{value.value:.3f}")
            cells = "".join(f"<td>{text}</td>" for text in (html.escape(cell.model), cell.shots, html.escape(of), *values))
            rows.append(f"<tr>{cells}</tr>")
        names = ("model", "shots", "settings", "precision", "recall", "density", "coverage", "mauve")
        head = "".join(f"<th>{name}</th>" for name in names)
        plane = self.figures.get("precision_recall_plane", "")
        return f"<div>{plane}<table><tr>{head}</tr>{''.join(rows)}</table><small>{html.escape(str(self.folder))}</small></div>"


def _matches(cell: Cell, key: str, value: Any) -> bool:
    if key in ("model", "id"):
        return bool(getattr(cell, key) == value)
    found = cell.settings.get(key, cell.record.get(key))
    if found is None:
        return value is None
    if isinstance(found, (int, float)) and isinstance(value, (int, float)):
        return abs(float(found) - float(value)) < 1e-9
    return bool(found == value)


def sweep(
    models: Union[str, Sequence[str], Mapping[str, Union[str, Generate]], Generate, None] = None,
    *,
    temps: Any = None,
    shots: Any = None,
    task: Any = None,
    reference: Any = None,
    n: Optional[int] = None,
    out: Any = None,
    version: str = "1",
    dry_run: bool = False,
    progress: bool = True,
    threads: Optional[int] = None,
    **settings: Any,
) -> Any:
    """Sample completions over a grid of settings, embed and score them; the same call goes on where it was.

    Parameters
    ----------
    models
        Models as the command line takes them, or functions that write in place of one, by name:
        ``{"mine": generate}``. Such a function is called as ``generate(prompts, settings, seeds)``: a list of prompts (of
        turns with ``chat="always"``), a dictionary of the cell's settings (``temperature``, ``top_p``, …,
        ``max_new_tokens``, ``stop``), and a seed a completion, which depends on the sweep's seed, the prompt and the
        sample alone. It returns a text a prompt, or a dictionary of ``text``, ``finish_reason``, ``tokens`` and
        ``logprob``. Its texts are kept as they come, ``batch`` at a time (64 without it). What it raises is raised
        here, and nothing that was kept is lost.
    temps, shots
        Ranges as on the command line (``"0.2..1.5"``), numbers, lists or arrays of them.
    task
        A bundled task or a ``.toml`` file.
    reference
        A file, or a list or column of texts.
    n
        Completions a cell.
    out
        The run folder.
    version
        What tells one version of your functions from another, so that their texts are not mixed.
    dry_run
        Give the plan as text, and draw nothing.
    progress
        Whether a bar is shown.
    threads
        How many threads compute; all processors where ``None``.
    **settings
        Every other long flag of ``llmpr sweep``, with ``_`` for ``-``: ``top_p="0.8,0.95"``, ``embedder="gpt2"``,
        ``max_new_tokens=64``, ``resamples=0``, …

    Returns
    -------
    Run
        The run folder; for ``dry_run=True`` the plan as text.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; what is finished is kept.
    llmpr.InputError
        With the command line's sentences.

    Warns
    -----
    RunWarning
        Where some cells have no result; they are in ``Run.failed``.
    """
    import tempfile

    from ._llmpr import sweep as native
    from ._llmpr import sweep_plan

    names, functions = _models(models, version)
    with tempfile.TemporaryDirectory() as folder:
        given: Dict[str, Any] = {"models": names, "temps": temps, "shots": shots, "task": task, "n": n, "out": out}
        given["reference"] = _reference(reference, folder)
        words = flags({**given, **settings})
        if dry_run:
            plan, notes = sweep_plan(words, functions, threads)
            for note in notes:
                info("%s", note)
            return plan
        listener = Bar() if progress else Quiet()
        try:
            where, failed, notes, _ = native(words, functions, listener, threads)
        finally:
            listener.end()
    for note in notes:
        info("%s", note)
    run = Run(where)
    run._failed = failed
    if failed:
        first = failed[0]
        warnings.warn(
            f"{len(failed)} cells have no result; the first is {first[1]} ({first[0]}): {first[2]}", RunWarning, stacklevel=2
        )
    return run


def _models(models: Any, version: str) -> Tuple[Optional[str], Dict[str, Tuple[Generate, str]]]:
    """Names of models, and the functions among them."""
    if models is None or isinstance(models, str):
        return models, {}
    if callable(models):
        models = {getattr(models, "__name__", "function"): models}
    functions: Dict[str, Tuple[Generate, str]] = {}
    names = []
    if isinstance(models, Mapping):
        for name, model in models.items():
            if callable(model):
                functions[name] = (cast(Generate, model), version)
                names.append(name)
            elif isinstance(model, str):
                names.append(model)
            else:
                raise InputError(f"models[{name!r}] is {type(model).__name__}, neither a function nor a model's name")
    else:
        for model in models:
            if callable(model):
                name = getattr(model, "__name__", "function")
                if name in functions:
                    raise InputError(f'two functions are called {name}; name them: models={{"first": …, "second": …}}')
                functions[name] = (cast(Generate, model), version)
                names.append(name)
            else:
                names.append(str(model))
    if not names:
        raise InputError("models is empty; name one, or leave it out for the bundled ones")
    for name in functions:
        if not name or "," in name or name.startswith("openai:"):
            raise InputError(f"a function cannot stand for a model called {name!r}; give it a plain name without a comma")
    return ",".join(names), functions


def _reference(reference: Any, folder: str) -> Any:
    """A file as it is; texts in a file of their own."""
    if reference is None or isinstance(reference, str) or hasattr(reference, "__fspath__"):
        return reference
    path = os.path.join(folder, "reference.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        for text in _arrays.texts(reference, "reference"):
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return path
