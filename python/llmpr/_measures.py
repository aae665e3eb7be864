"""Single measures by the field's names: numbers in, numbers out, without intervals.

Rows are measured as they are, neither scaled nor reduced (but for :func:`mauve`, whose definition does both);
:func:`llmpr.score` prepares rows and gives what is needed to read a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import _arrays
from ._errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "AlphaPrecision", "ClippedScores", "CoverScores", "Mauve", "PPrecision", "PrCurve", "Prdc", "Reached", "TopPr",
    "alpha_precision", "authenticity", "clipped", "coverage", "cover_precision", "density", "distinct", "frechet",
    "frontier_integral", "kernel_distance", "mauve", "mauve_of_counts", "mean_tokens", "modes_reached", "ngram_vendi",
    "nn_accuracy", "p_precision", "pr_curve", "prdc", "precision", "realism", "recall", "reached", "recall_extrapolated",
    "repetition", "self_bleu", "sliced_wasserstein", "top_pr", "unique_fraction", "vendi", "zipf",
]


class Prdc(NamedTuple):
    """Precision, recall, density and coverage."""

    precision: float
    recall: float
    density: float
    coverage: float


class Reached(NamedTuple):
    """How much of the reference's distribution samples reach."""

    recall_extrapolated: float
    """Share that infinitely many samples would reach."""
    modes_reached: float
    """Share that these samples reach, a mode taking a hundredth of the reference."""


class ClippedScores(NamedTuple):
    """Clipped density and coverage."""

    density: float
    coverage: float


class PPrecision(NamedTuple):
    """P-precision and P-recall."""

    precision: float
    recall: float


class CoverScores(NamedTuple):
    """Precision cover and recall cover."""

    precision: float
    recall: float


class AlphaPrecision(NamedTuple):
    """Integrated α-precision and β-recall."""

    alpha_precision: float
    beta_recall: float


class TopPr(NamedTuple):
    """Topological precision and recall; NaN where no row is above the threshold."""

    precision: float
    recall: float


class PrCurve(NamedTuple):
    """A PR-curve: ``alpha[i]`` (precision-like) and ``beta[i]`` (recall-like) at slope ``lambdas[i]``."""

    lambdas: "npt.NDArray[np.float64]"
    alpha: "npt.NDArray[np.float64]"
    beta: "npt.NDArray[np.float64]"


class Mauve(NamedTuple):
    """MAUVE, the frontier integral, their smoothed versions, and what they were made of."""

    mauve: float
    mauve_star: float
    frontier_integral: float
    frontier_integral_star: float
    divergence_curve: "npt.NDArray[np.float64]"
    """Points × 2 from (1, 0) to (0, 1)."""
    num_buckets: int
    p_hist: "npt.NDArray[np.float64]"
    q_hist: "npt.NDArray[np.float64]"

    def __float__(self) -> float:
        return self.mauve


_OF_DISTANCES = frozenset((
    "prdc", "reached", "clipped", "p_precision_recall", "cover", "top", "authenticity", "frechet_distance", "nn_accuracy",
    "sliced_wasserstein",
))
"""Groups that do not change when all rows of both sides are moved by one vector."""


def _of_rows(
    name: str, reference: Any, samples: Any, k: int = 0, ties: str = "strict", seed: int = 0,
    threads: Optional[int] = None,
) -> Dict[str, float]:
    from ._llmpr import measure

    if ties not in ("strict", "inclusive"):
        raise InputError(f"ties = {ties!r} is neither 'strict' nor 'inclusive'")
    p, q = _arrays.moved_sides(reference, samples) if name in _OF_DISTANCES else (
        _arrays.features(reference, "reference"), _arrays.features(samples, "samples"))
    return measure(name, p, q, k, ties == "inclusive", seed, threads)


def prdc(reference: Any, samples: Any, k: int = 4, *, ties: str = "strict", threads: Optional[int] = None) -> Prdc:
    """Precision, recall, density and coverage by balls that reach to the k-th nearest other row.

    Parameters
    ----------
    reference, samples
        n × d and m × d features.
    k
        Rank of the neighbor that sets a radius, 1 ≤ k < n, m.
    ties
        Whether a row exactly on a radius is inside (``"inclusive"``) or not (``"strict"``).
    threads
        How many threads compute; all processors where ``None``.

    References
    ----------
    Kynkäänniemi et al. 2019 (precision, recall); Naeem et al. 2020 (density, coverage).

    Examples
    --------
    >>> import llmpr
    >>> line = [[0.0], [1.0], [2.0], [3.0]]
    >>> llmpr.prdc(line, [[0.5], [1.5], [9.0], [10.0]], k=1)
    Prdc(precision=0.5, recall=0.75, density=1.0, coverage=0.75)
    """
    return Prdc(**_of_rows("prdc", reference, samples, k, ties, 0, threads))


def precision(reference: Any, samples: Any, k: int = 4, **more: Any) -> float:
    """Share of samples inside the support of the reference; see :func:`prdc`."""
    return prdc(reference, samples, k, **more).precision


def recall(reference: Any, samples: Any, k: int = 4, **more: Any) -> float:
    """Share of reference rows inside the support of the samples; see :func:`prdc`."""
    return prdc(reference, samples, k, **more).recall


def density(reference: Any, samples: Any, k: int = 4, **more: Any) -> float:
    """Mean number of reference balls that a sample lies in, over k; see :func:`prdc`."""
    return prdc(reference, samples, k, **more).density


def coverage(reference: Any, samples: Any, k: int = 4, **more: Any) -> float:
    """Share of reference rows whose ball holds a sample; see :func:`prdc`."""
    return prdc(reference, samples, k, **more).coverage


def reached(reference: Any, samples: Any, *, threads: Optional[int] = None) -> Reached:
    """Recall at matched density: the share of the reference of which balls are hit as often as they would be by a model
    that writes that share and nothing else.

    Ranks of neighbors follow from n: 2 to 4 for ``recall_extrapolated``, n / 100 for ``modes_reached``. Where it holds and
    where it does not is in docs/decisions.md, "Recall that extrapolates"; :func:`llmpr.score` has the intervals.

    Examples
    --------
    >>> import llmpr, numpy
    >>> rows = numpy.random.default_rng(0).standard_normal((600, 4))
    >>> half = rows[300:][rows[300:, 0] > 0]  # one side of the first axis only
    >>> llmpr.reached(rows[:300], rows[300:]).recall_extrapolated > 0.9
    True
    >>> 0.4 < llmpr.reached(rows[:300], half).recall_extrapolated < 0.8
    True
    """
    return Reached(**_of_rows("reached", reference, samples, threads=threads))


def recall_extrapolated(reference: Any, samples: Any, *, threads: Optional[int] = None) -> float:
    """What recall would be at infinitely many samples; see :func:`reached`."""
    return reached(reference, samples, threads=threads).recall_extrapolated


def modes_reached(reference: Any, samples: Any, *, threads: Optional[int] = None) -> float:
    """Share of the reference's modes that these samples reach; see :func:`reached`."""
    return reached(reference, samples, threads=threads).modes_reached


def clipped(reference: Any, samples: Any, k: int = 5, *, threads: Optional[int] = None) -> ClippedScores:
    """Clipped density and clipped coverage, 1 for equal distributions (Salvy et al. 2025)."""
    found = _of_rows("clipped", reference, samples, k, threads=threads)
    return ClippedScores(found["clipped_density"], found["clipped_coverage"])


def p_precision(reference: Any, samples: Any, k: int = 4, *, threads: Optional[int] = None) -> PPrecision:
    """P-precision and P-recall: memberships that fade with the distance (Park & Kim 2023)."""
    found = _of_rows("p_precision_recall", reference, samples, k, threads=threads)
    return PPrecision(found["p_precision"], found["p_recall"])


def cover_precision(reference: Any, samples: Any, k: int = 3, *, threads: Optional[int] = None) -> CoverScores:
    """Precision cover and recall cover (Cheema & Urner 2023)."""
    found = _of_rows("cover", reference, samples, k, threads=threads)
    return CoverScores(found["cover_precision"], found["cover_recall"])


def alpha_precision(reference: Any, samples: Any, *, threads: Optional[int] = None) -> AlphaPrecision:
    """Integrated α-precision and β-recall (Alaa et al. 2022)."""
    return AlphaPrecision(**_of_rows("alpha", reference, samples, threads=threads))


def top_pr(reference: Any, samples: Any, *, seed: int = 0, threads: Optional[int] = None) -> TopPr:
    """Topological precision and recall (Kim et al. 2023)."""
    found = _of_rows("top", reference, samples, seed=seed, threads=threads)
    return TopPr(found["top_precision"], found["top_recall"])


def authenticity(reference: Any, samples: Any, *, threads: Optional[int] = None) -> float:
    """Share of samples that are no near copy of a reference row (Alaa et al. 2022)."""
    return _of_rows("authenticity", reference, samples, threads=threads)["authenticity"]


def realism(reference: Any, samples: Any, *, k: int = 3, threads: Optional[int] = None) -> "npt.NDArray[np.float64]":
    """m realism scores: above 1 inside a reference ball of at most median radius (Kynkäänniemi et al. 2019)."""
    from ._llmpr import realism_scores

    p, q = _arrays.features(reference, "reference"), _arrays.features(samples, "samples")
    return realism_scores(p, q, k, threads)


def frechet(reference: Any, samples: Any, *, threads: Optional[int] = None) -> float:
    """Fréchet distance of the Gaussians through both sets; FID on other features (Heusel et al. 2017)."""
    return _of_rows("frechet_distance", reference, samples, threads=threads)["frechet_distance"]


def kernel_distance(reference: Any, samples: Any, *, threads: Optional[int] = None) -> float:
    """Unbiased squared MMD under the kernel (x·y / d + 1)³ over all rows; KID on other features (Bińkowski et al. 2018)."""
    return _of_rows("kernel_distance", reference, samples, threads=threads)["kernel_distance"]


def sliced_wasserstein(
    reference: Any, samples: Any, *, directions: int = 500, seed: int = 0, threads: Optional[int] = None
) -> float:
    """Mean Wasserstein-1 distance over random directions."""
    found = _of_rows("sliced_wasserstein", reference, samples, directions, seed=seed, threads=threads)
    return found["sliced_wasserstein"]


def nn_accuracy(reference: Any, samples: Any, *, threads: Optional[int] = None) -> float:
    """Leave-one-out accuracy of the nearest neighbor in telling the sides apart; ½ for equal distributions."""
    return _of_rows("nn_accuracy", reference, samples, threads=threads)["nn_accuracy"]


def vendi(
    rows: Any, *, order: Union[float, Sequence[float]] = 1.0, threads: Optional[int] = None
) -> Union[float, List[float]]:
    """Vendi score of one set: the effective number of different rows under the cosine kernel.

    Parameters
    ----------
    rows
        n × d features.
    order
        Order of the entropy, 1 for Shannon's; a list gives a list of scores.

    References
    ----------
    Friedman & Dieng 2023; orders other than 1: Pasarkar & Dieng 2024.

    Examples
    --------
    >>> import llmpr
    >>> round(llmpr.vendi([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]), 6)
    2.0
    """
    from ._llmpr import vendi_scores

    orders = [float(order)] if isinstance(order, (int, float)) else [float(each) for each in order]
    found = vendi_scores(_arrays.features(rows, "rows"), orders, threads)
    return found[0] if isinstance(order, (int, float)) else found


def mauve(
    reference: Any,
    samples: Any,
    *,
    clusters: Union[int, str] = "auto",
    explained: float = 0.9,
    redos: int = 5,
    iterations: int = 500,
    scaling: float = 5.0,
    weights: int = 25,
    seed: int = 0,
    threads: Optional[int] = None,
) -> Mauve:
    """MAUVE of two sets of features, prepared as in the paper: rows of length 1, principal components, k-means.

    Parameters
    ----------
    reference, samples
        n × d and m × d features; or histograms over shared bins (one-dimensional integer arrays), where nothing is
        clustered.
    clusters
        Number of bins; ``"auto"`` is a tenth of the smaller side, at least 2.
    explained
        Share of variance that the components hold.
    redos, iterations
        Starts of k-means and most iterations of each.
    scaling
        The exponent c.
    weights
        Mixtures between the ends of the curve.

    References
    ----------
    Pillutla et al. 2021, 2023.
    """
    from ._llmpr import mauve_of_rows

    if _arrays.is_histogram(reference) and _arrays.is_histogram(samples):
        return mauve_of_counts(reference, samples, scaling=scaling, weights=weights)
    p, q = _arrays.features(reference, "reference"), _arrays.features(samples, "samples")
    bins = None if clusters == "auto" else int(clusters)
    found = mauve_of_rows(p, q, bins, explained, redos, iterations, scaling, weights, seed, None, threads)
    return Mauve(**found)


def mauve_of_counts(reference: Any, samples: Any, *, scaling: float = 5.0, weights: int = 25) -> Mauve:
    """MAUVE of two histograms over the same bins.

    Examples
    --------
    >>> import llmpr
    >>> llmpr.mauve_of_counts([5, 5], [5, 5]).mauve
    1.0
    >>> round(llmpr.mauve_of_counts([5, 0], [0, 5]).mauve, 6)  # no overlap: the least there is
    0.004072
    """
    from ._llmpr import mauve_of_counts as native

    p, q = _arrays.histogram(reference, "reference"), _arrays.histogram(samples, "samples")
    return Mauve(**native(p, q, scaling, weights))


def frontier_integral(reference: Any, samples: Any, **more: Any) -> float:
    """The frontier integral, 0 for equal distributions and at most 1; arguments as of :func:`mauve`."""
    return mauve(reference, samples, **more).frontier_integral


def pr_curve(
    reference: Any, samples: Any, *, lambdas: Optional[Sequence[float]] = None, clusters: int = 20, seed: int = 0,
    threads: Optional[int] = None,
) -> PrCurve:
    """The PR-curve α(λ) = Σ min(λ p, q), β(λ) = α / λ.

    Parameters
    ----------
    reference, samples
        Shares or counts of the same bins (one-dimensional), whose curve is exact; or n × d and m × d features, which are
        clustered together.
    lambdas
        Slopes; 1001 angles as in Sajjadi et al. where ``None``.

    References
    ----------
    Sajjadi et al. 2018; Simon et al. 2019.

    Examples
    --------
    >>> import llmpr
    >>> llmpr.pr_curve([0.5, 0.5], [1.0, 0.0], lambdas=[1.0, 2.0]).alpha.tolist()
    [0.5, 1.0]
    """
    from ._llmpr import pr_curve as native

    p, q = _bins(reference), _bins(samples)
    if p is None or q is None:
        found = mauve(reference, samples, clusters=clusters, redos=2, seed=seed, threads=threads)
        p, q = found.p_hist.tolist(), found.q_hist.tolist()
    return PrCurve(*native(p, q, [float(slope) for slope in lambdas] if lambdas is not None else []))


def _bins(value: Any) -> Optional[List[float]]:
    import numpy as np

    array = np.asarray(value)
    return [float(share) for share in array] if array.ndim == 1 and array.dtype.kind in "fiu" else None


Tokens = Sequence[Union[str, Sequence[Any]]]


def _tokens(texts: Tokens) -> List[List[str]]:
    """Texts as lists of words: lists are taken as they are, strings fall apart at white space."""
    if isinstance(texts, str):
        raise InputError("texts is one text; give a list of texts")
    out = []
    for row, text in enumerate(texts):
        if text is None or isinstance(text, (int, float)):
            raise InputError(f"texts: text {row} is {text!r}; give a str or a list of tokens")
        out.append(text.split() if isinstance(text, str) else [str(token) for token in text])
    if not out:
        raise InputError("texts is empty; give at least two texts")
    return out


def _of_texts(name: str, texts: Tokens, order: int = 4, threads: Optional[int] = None) -> List[float]:
    from ._llmpr import words

    return words(name, _tokens(texts), order, threads)[name]


def self_bleu(texts: Tokens, *, order: int = 4, threads: Optional[int] = None) -> float:
    """Mean BLEU of each text against all others, smoothed as NLTK's method 1 (Zhu et al. 2018); 1 where all are alike.

    Texts are lists of tokens, or strings that fall apart at white space. Exact over all pairs.
    """
    found = _of_texts("self_bleu", texts, order, threads)
    return sum(found) / len(found)


def distinct(texts: Tokens, n: Optional[int] = None) -> Union[float, Tuple[float, ...]]:
    """Different n-grams over all n-grams of the whole set, for n = 1 to 4, or for one n (Li et al. 2016)."""
    found = tuple(_of_texts("distinct", texts))
    if n is None:
        return found
    if not 1 <= n <= 4:
        raise InputError(f"n = {n} is outside 1, 2, 3, 4")
    return found[n - 1]


def zipf(texts: Tokens) -> float:
    """Zipf coefficient: how fast the frequency of tokens falls with their rank."""
    return _of_texts("zipf", texts)[0]


def repetition(texts: Tokens) -> float:
    """Share of texts that end in a loop (Holtzman et al. 2020)."""
    return _of_texts("repetition", texts)[0]


def unique_fraction(texts: Tokens) -> float:
    """Different texts over texts."""
    return _of_texts("unique_fraction", texts)[0]


def mean_tokens(texts: Tokens) -> float:
    """Mean number of tokens."""
    return _of_texts("mean_tokens", texts)[0]


def ngram_vendi(texts: Tokens, *, order: int = 4) -> float:
    """Vendi score under the n-gram kernel: the effective number of different texts."""
    return _of_texts("ngram_vendi", texts, order)[0]
