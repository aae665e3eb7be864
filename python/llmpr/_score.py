"""Scores of a reference against samples: values with what is needed to read them."""

from __future__ import annotations

import json
import warnings as python_warnings
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import _arrays
from ._errors import InputError
from ._log import info

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Nearest", "Score", "ScoreWarning", "Value", "Warning_", "embed", "score"]

Embedder = Union[str, Callable[[List[str]], Any]]


class ScoreWarning(UserWarning):
    """What makes a number of a score misleading."""


class Value(NamedTuple):
    """A measured value with what is needed to read it; what was not asked for or does not exist is ``None``.

    ``float(value)`` is the value alone.
    """

    value: float
    low: Optional[float] = None
    """Lower end of the 95 % interval of sampling."""
    high: Optional[float] = None
    """Upper end of it."""
    ceiling: Optional[float] = None
    """What the reference scores against itself at these sizes."""
    p: Optional[float] = None
    """Permutation p-value against "same distribution"."""

    def __float__(self) -> float:
        return self.value

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else str(self)

    def __str__(self) -> str:
        out = f"{self.value:.4g}"
        if self.low is not None and self.high is not None:
            out += f" [{self.low:.4g}, {self.high:.4g}]"
        return out if self.ceiling is None else f"{out} of {self.ceiling:.4g}"


class Warning_(NamedTuple):
    """A warning: its code (see docs/warnings.md) and its sentence."""

    code: str
    message: str


class Nearest(NamedTuple):
    """The nearest reference row of each sample."""

    position: "npt.NDArray[np.int64]"
    """m positions in the reference; the first of equally near ones."""
    distance: "npt.NDArray[np.float64]"
    """m distances in the space of the score."""


def _number(value: Any) -> Optional[float]:
    """A number of the JSON contract: infinite ones are words, undefined ones null."""
    if value is None:
        return None
    return float(value)


class Score:
    """Every measure that was asked for, of one reference and one set of samples.

    Measures are attributes and items: ``score.precision.value``, ``score["alpha@1"].low``. ``len``, iteration and ``in``
    are over their names, in the order of the table.
    """

    def __init__(self, record: str, rows: Optional[Tuple[Any, Any, str, Optional[int]]] = None) -> None:
        self._json = record
        self._rows = rows
        self._facts: Optional[Dict[str, Any]] = None
        self._record: Dict[str, Any] = json.loads(record)
        self._values: Dict[str, Value] = {}
        for name, fields in self._record["metrics"].items():
            number = _number(fields["value"])
            self._values[name] = Value(
                float("nan") if number is None else number,
                _number(fields.get("low")),
                _number(fields.get("high")),
                _number(fields.get("ceiling")),
                _number(fields.get("p_value")),
            )

    def __getitem__(self, name: str) -> Value:
        try:
            return self._values[name]
        except KeyError:
            raise KeyError(self._missing(name)) from None

    def __getattr__(self, name: str) -> Value:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(self._missing(name)) from None

    def _missing(self, name: str) -> str:
        import difflib

        near = difflib.get_close_matches(name, list(self._values), n=3, cutoff=0.4)
        hint = f"; the nearest are {', '.join(near)}" if near else ""
        return f"there is no measure `{name}` in this score{hint}"

    def __dir__(self) -> List[str]:
        return [*super().__dir__(), *self._values]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Score) and self._record == other._record

    def __hash__(self) -> int:
        return hash(self._json)

    def __repr__(self) -> str:
        shown = [f"{name} {self._values[name]}" for name in list(self._values)[:4]]
        n, m = self._record["reference"]["n"], self._record["samples"]["n"]
        more = len(self) - len(shown)
        rest = f", {more} more" if more > 0 else ""
        return f"<llmpr.Score of {n} and {m} rows: {', '.join(shown)}{rest}>"

    def __reduce__(self) -> Tuple[Any, ...]:
        return (Score, (self._json, self._rows))

    # What was measured, and how.

    @property
    def signature(self) -> str:
        """What determined the values, by content; two scores with one signature are comparable."""
        return str(self._record["signature"])

    @property
    def warnings(self) -> List[Warning_]:
        """What makes a number misleading."""
        return [Warning_(warning["code"], warning["message"]) for warning in self._record["warnings"]]

    @property
    def curves(self) -> Dict[str, Dict[str, Any]]:
        """The curves behind the numbers, each a dictionary of arrays: ``pr`` (λ, α, β), ``frontier`` (x, y),
        ``growth``, ``by_size`` and further PR-curves by estimator in ``pr_by``."""
        import numpy as np

        def columns(of: Any) -> Any:
            if isinstance(of, dict):
                return {name: columns(values) for name, values in of.items()}
            if isinstance(of, list):
                return np.asarray([float("nan") if value is None else float(value) for value in of])
            return _number(of)

        return {name: columns(curve) for name, curve in self._record["curves"].items()}

    @property
    def metrics(self) -> Dict[str, Value]:
        """All values by name, in the order of the table."""
        return dict(self._values)

    def to_dict(self) -> Dict[str, Any]:
        """The object that ``llmpr score --format json`` prints (schema ``llmpr.score/1``)."""
        out: Dict[str, Any] = json.loads(self._json)
        return out

    def to_json(self, indent: Optional[int] = 2) -> str:
        """The same as text."""
        return json.dumps(self._record, indent=indent, ensure_ascii=False)

    def table(self, all: bool = False) -> str:  # noqa: A002 - the command line's name
        """The table that ``llmpr score`` prints: the measures that matter first, or every one."""
        from ._llmpr import score_table

        return score_table(self._json, all)

    def to_pandas(self) -> Any:
        """A data frame: a row a measure, columns ``value, low, high, ceiling, p``."""
        import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]

        rows = [value._asdict() for value in self._values.values()]
        return pandas.DataFrame(rows, index=pandas.Index(list(self._values), name="metric"), dtype=float)

    # Each row.

    def _of_rows(self, name: str) -> Any:
        if self._rows is None:
            raise InputError("this score was made of histograms, which have no rows")
        if self._facts is None:
            from ._llmpr import row_facts

            reference, samples, options, threads = self._rows
            self._facts = row_facts(reference, samples, options, threads)
        return self._facts[name]

    @property
    def inside(self) -> "npt.NDArray[np.bool_]":
        """m flags: whether each sample lies in a ball of the reference. All rows count, in their order, even where the
        score drew the larger side down; with equal sizes the mean is the precision."""
        return self._of_rows("inside")  # type: ignore[no-any-return]

    @property
    def realism(self) -> "npt.NDArray[np.float64]":
        """m realism scores (Kynkäänniemi et al. 2019, k = 3): above 1 inside a ball of at most median radius; infinite
        on a copy."""
        return self._of_rows("realism")  # type: ignore[no-any-return]

    @property
    def nearest(self) -> Nearest:
        """The nearest reference row of each sample, and how far it is."""
        return Nearest(self._of_rows("nearest"), self._of_rows("distance"))

    @property
    def recalled(self) -> "npt.NDArray[np.bool_]":
        """n flags: whether each reference row lies in a ball of the samples; their mean is the recall."""
        return self._of_rows("recalled")  # type: ignore[no-any-return]

    @property
    def covered(self) -> "npt.NDArray[np.bool_]":
        """n flags: whether a sample lies in the ball of each reference row; their mean is the coverage."""
        return self._of_rows("covered")  # type: ignore[no-any-return]

    @property
    def uncovered(self) -> "npt.NDArray[np.int64]":
        """Positions of the reference rows that no sample comes near: those not ``covered``, the farthest first."""
        import numpy as np

        places = np.flatnonzero(~self.covered)
        order = np.argsort(-self._of_rows("distance_to_sample")[places], kind="stable")
        return places[order].astype(np.int64)

    # To look at.

    def _repr_html_(self) -> str:
        import html

        from ._llmpr import first_measures

        head = "".join(f"<th>{name}</th>" for name in ("", "value", "95 % interval", "ceiling", "p"))
        body = []
        for name in first_measures(self._json):
            value = self._values[name]
            interval = "" if value.low is None else f"{value.low:.3f} … {value.high:.3f}"
            ceiling = "" if value.ceiling is None else f"{value.ceiling:.3f}"
            p = "" if value.p is None else f"{value.p:.3g}"
            cells = "".join(f"<td>{cell}</td>" for cell in (f"{value.value:.3f}", interval, ceiling, p))
            body.append(f"<tr><th style='text-align:left'>{html.escape(name)}</th>{cells}</tr>")
        said = "".join(f"<li><code>{html.escape(code)}</code>: {html.escape(message)}</li>"
                       for code, message in self.warnings)
        listed = f"<ul>{said}</ul>" if said else ""
        signature = f"<small><code>{html.escape(self.signature)}</code></small>"
        return f"<div><table><tr>{head}</tr>{''.join(body)}</table>{listed}{signature}</div>"

    def plot(self, ax: Any = None) -> Any:
        """Precision against recall with their intervals and ceilings; returns matplotlib's axes, or an SVG that a
        notebook shows where matplotlib is not installed."""
        from ._plot import plane

        for name in ("precision", "recall"):
            if name not in self:
                raise InputError(f"{name} was not measured; a plot needs precision and recall")
        return plane([("samples", self.precision, self.recall)], ax)


def _options(given: Dict[str, Any]) -> str:
    """Settings of a score as JSON of the library's field names."""
    out: Dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        out[name] = value
    metrics = out.get("metrics")
    if metrics is not None and not isinstance(metrics, str):
        out["metrics"] = ",".join(metrics)
    pca = out.get("pca")
    if pca is not None:
        out["pca"] = _reduction(pca)
    clusters = out.get("clusters")
    if clusters is not None:
        out["clusters"] = "auto" if clusters == "auto" else {"fixed": _whole("clusters", clusters)}
    for name in ("k", "seed", "resamples", "permutations"):
        if name in out:
            out[name] = _whole(name, out[name])
    if "lambdas" in out:
        out["lambdas"] = [float(value) for value in out["lambdas"]]
    if "scaling" in out:
        out["scaling"] = float(out["scaling"])
    for name, words in (("normalize", ("l2", "none")), ("ties", ("strict", "inclusive")),
                        ("unequal", ("subsample", "keep"))):
        word = out.get(name)
        if word is not None and word not in words:
            raise InputError(f"{name} = {word!r} is neither {words[0]!r} nor {words[1]!r}")
    return json.dumps(out)


def _whole(name: str, value: Any) -> int:
    """A whole number from 0 up."""
    number = value.__index__() if hasattr(value, "__index__") else None
    if number is None or number < 0:
        raise InputError(f"{name} = {value!r} is no whole number from 0 up")
    return int(number)


def _reduction(pca: Any) -> Any:
    if pca is None or pca == "none":
        return "none"
    if isinstance(pca, str):
        raise InputError(f"pca = {pca!r} is neither a share in (0, 1), a number of components, nor 'none'")
    if hasattr(pca, "__index__"):
        return {"components": _whole("pca", pca)}
    return {"share": float(pca)}


_UNSET: Any = object()


def score(
    reference: Any,
    samples: Any,
    *,
    k: int = 4,
    pca: Union[float, int, str, None] = 0.9,
    normalize: Optional[str] = "l2",
    metrics: Union[str, Sequence[str], None] = None,
    resamples: int = 200,
    permutations: int = 1000,
    prompts: Optional[Sequence[Any]] = None,
    ties: str = "strict",
    unequal: str = "subsample",
    clusters: Union[int, str] = "auto",
    scaling: float = 5.0,
    lambdas: Optional[Sequence[float]] = None,
    seed: int = 0,
    threads: Optional[int] = None,
    embedder: Optional[Embedder] = None,
    pooling: Optional[str] = None,
    max_tokens: Optional[int] = None,
    device: Optional[str] = None,
    dtype: Optional[str] = None,
) -> Score:
    """Score samples of a model against a reference.

    The values, intervals, ceilings and p-values are those of ``llmpr score``, digit for digit.

    Parameters
    ----------
    reference, samples
        Features, n × d and m × d, of one embedder: numpy arrays in any order and number type, tensors on the CPU, data
        frames, columns of lists. Arrays of ``float32`` in C order are read in place, without a copy; whoever writes to
        one meanwhile gets a score of some mixture of old and new values. One-dimensional integer arrays are
        histograms over shared bins. Lists or columns of texts are embedded by ``embedder``.
    k
        Rank of the neighbor that sets the radius of a ball.
    pca
        Share of variance that is kept, a number of components, or ``None``.
    normalize
        ``"l2"`` divides each row by its length first; ``None`` leaves rows as they are.
    metrics
        Names of measures and families (``"precision,mauve"``, ``["support", "frontier"]``, ``"all"``); ``None`` measures
        everything but the family ``extra``.
    resamples, permutations
        Half-samples behind intervals and exchanges behind p-values; 0 for none.
    prompts
        The prompt of each sample, anything that can be told apart: half-samples keep the samples of one prompt
        together.
    ties, unequal, clusters, scaling, lambdas, seed
        As the flags of ``llmpr score``.
    threads
        How many threads compute; all processors where ``None``. No value depends on it.
    embedder
        For texts: a model (folder, GGUF file, hub id, bundled name) or a function that makes an array of a list of
        texts.
    pooling, max_tokens, device, dtype
        How a model embeds, as the flags of ``llmpr score``.

    Returns
    -------
    Score

    Raises
    ------
    llmpr.InputError
        For whatever cannot be measured; the sentence says what, where and what to do.

    References
    ----------
    Le Bronnec et al., Exploring Precision and Recall to assess the quality and diversity of LLMs, ACL 2024.
    docs/measures.md lists every measure with its source.

    Examples
    --------
    >>> import llmpr, numpy
    >>> rows = numpy.random.default_rng(0).standard_normal((200, 8)).astype("float32")
    >>> found = llmpr.score(rows[:100], rows[100:], metrics="precision,recall", resamples=20, permutations=0)
    >>> found.precision.low <= found.precision.value <= found.precision.high
    True
    """
    options = {
        "k": k, "pca": "none" if pca is None else pca, "normalize": "none" if normalize is None else normalize,
        "metrics": metrics, "resamples": resamples, "permutations": permutations, "ties": ties, "unequal": unequal,
        "clusters": clusters, "scaling": scaling, "lambdas": lambdas, "seed": seed,
    }
    embedding = {"pooling": pooling, "max_tokens": max_tokens, "device": device, "dtype": dtype}
    return _score(reference, samples, _options(options), prompts, threads, embedder, embedding)


def _score(
    reference: Any,
    samples: Any,
    options: str,
    prompts: Optional[Sequence[Any]],
    threads: Optional[int],
    embedder: Optional[Embedder],
    embedding: Dict[str, Any],
) -> Score:
    from . import _llmpr

    if _arrays.is_histogram(reference) and _arrays.is_histogram(samples):
        counts = [_arrays.histogram(side, name) for side, name in ((reference, "reference"), (samples, "samples"))]
        return _warned(Score(_llmpr.score_counts(counts[0], counts[1], options)))
    of_texts = [_arrays.is_texts(side) for side in (reference, samples)]
    facts = None
    if embedder is not None or all(of_texts):
        if embedder is None:
            raise InputError(
                "reference and samples are texts; name the model that embeds them with embedder=…, or give features"
            )
        read = [_arrays.texts(side, name) for side, name in ((reference, "reference"), (samples, "samples"))]
        if callable(embedder):
            made = [_called(embedder, side, name) for side, name in zip(read, ("reference", "samples"))]
        else:
            embedded = [_embed(side, embedder, threads, embedding) for side in read]
            made, facts = [rows for rows, _ in embedded], [fact for _, fact in embedded]
    elif any(of_texts):
        texts, rows = ("reference", "samples") if of_texts[0] else ("samples", "reference")
        raise InputError(f"{texts} holds texts and {rows} features; both sides must be of one kind")
    else:
        made = [_arrays.features(side, name) for side, name in ((reference, "reference"), (samples, "samples"))]
    names = None
    if prompts is not None:
        names = [str(prompt) for prompt in prompts]
        if len(names) != len(made[1]):
            raise InputError(f"prompts has {len(names)} entries and samples {len(made[1])} rows; give one a sample")
    record = _llmpr.score_rows(made[0], made[1], options, names, facts, threads)
    return _warned(Score(record, (made[0], made[1], options, threads)))


def _called(embedder: Callable[[List[str]], Any], texts: List[str], name: str) -> Any:
    rows = _arrays.features(embedder(texts), f"what embedder made of {name}")
    if len(rows) != len(texts):
        raise InputError(f"embedder made {len(rows)} rows of the {len(texts)} texts of {name}; one a text is needed")
    return rows


def _embed(texts: List[str], embedder: str, threads: Optional[int], how: Dict[str, Any]) -> Tuple[Any, Any]:
    from . import _llmpr

    info("embedding %d texts with %s", len(texts), embedder)
    return _llmpr.embed_texts(texts, str(embedder), threads=threads, **how)


def _warned(made: Score) -> Score:
    for code, message in made.warnings:
        python_warnings.warn(f"{code}: {message}", ScoreWarning, stacklevel=4)
    return made


def embed(
    texts: Any,
    embedder: str,
    *,
    pooling: Optional[str] = None,
    max_tokens: Optional[int] = None,
    device: Optional[str] = None,
    dtype: Optional[str] = None,
    threads: Optional[int] = None,
) -> "npt.NDArray[np.float32]":
    """Embed texts with a local model, as ``llmpr embed`` does.

    Parameters
    ----------
    texts
        A list or a column of n texts.
    embedder
        A folder, a GGUF file, a hub id or a bundled name (``"tiny-gpt2"``).
    pooling
        ``"last"`` (token) or ``"mean"``; for sentence encoders their own files decide.
    max_tokens
        Tokens after which a text is cut; 1024 by default.
    device, dtype
        As ``--device`` and ``--dtype``.
    threads
        How many threads compute; all processors where ``None``.

    Returns
    -------
    numpy.ndarray
        n × d ``float32``.
    """
    how = {"pooling": pooling, "max_tokens": max_tokens, "device": device, "dtype": dtype}
    return _embed(_arrays.texts(texts, "texts"), embedder, threads, how)[0]  # type: ignore[no-any-return]
