"""Single measures: closed forms, the peers, and what a score says."""

import doctest
import importlib

import llmpr
import numpy as np
import pytest

RNG = np.random.default_rng(7)
P = RNG.standard_normal((120, 6)).astype("float32")
Q = (RNG.standard_normal((100, 6)) + 0.4).astype("float32")


@pytest.mark.parametrize("module", ["_measures", "_metric", "_score"])
def test_examples_of_the_docstrings(module):
    failed, tried = doctest.testmod(importlib.import_module(f"llmpr.{module}"))
    assert failed == 0 and tried > 0


def test_single_measures_are_those_of_a_score():
    plain = {"pca": None, "normalize": None, "unequal": "keep", "resamples": 0, "permutations": 0}
    with pytest.warns(llmpr.ScoreWarning):
        whole = llmpr.score(P, Q, metrics="support,moments,extra", **plain)
    found = llmpr.prdc(P, Q)
    assert list(found) == [whole[name].value for name in found._fields]
    assert llmpr.precision(P, Q) == found.precision and llmpr.recall(P, Q) == found.recall
    assert llmpr.density(P, Q) == found.density and llmpr.coverage(P, Q) == found.coverage
    assert llmpr.authenticity(P, Q) == whole.authenticity.value
    assert llmpr.frechet(P, Q) == pytest.approx(whole.frechet_distance.value, rel=1e-12)
    assert llmpr.kernel_distance(P, Q) == pytest.approx(whole.kernel_distance.value, rel=1e-9)
    assert list(llmpr.clipped(P, Q)) == [whole.clipped_density.value, whole.clipped_coverage.value]
    assert list(llmpr.alpha_precision(P, Q)) == [whole.alpha_precision.value, whole.beta_recall.value]
    assert list(llmpr.cover_precision(P, Q)) == [whole.cover_precision.value, whole.cover_recall.value]
    assert list(llmpr.reached(P, Q)) == [whole.recall_extrapolated.value, whole.modes_reached.value]
    assert llmpr.recall_extrapolated(P, Q) == whole.recall_extrapolated.value
    assert llmpr.modes_reached(P, Q) == whole.modes_reached.value
    assert list(llmpr.p_precision(P, Q)) == [whole.p_precision.value, whole.p_recall.value]


def test_rows_far_from_the_origin_keep_their_distances():
    p, q = (RNG.standard_normal((200, 8)) for _ in range(2))
    near, far = llmpr.prdc(p, q), llmpr.prdc(p + 2.0**24, q + 2.0**24)
    assert far == pytest.approx(near, abs=0.003)  # the sums in float64 are rounded at 4e-9
    narrow = llmpr.prdc(*((rows + 2.0**24).astype("float32") for rows in (p, q)))
    assert abs(narrow.density - near.density) > 0.1  # what float32 leaves of them
    assert llmpr.frechet(p + 2.0**24, q + 2.0**24) == pytest.approx(llmpr.frechet(p, q), rel=1e-6)


def test_equal_sets_score_as_they_must():
    assert llmpr.frechet(P, P) == pytest.approx(0, abs=1e-9)
    assert llmpr.sliced_wasserstein(P, P) == 0
    assert llmpr.prdc(P, P).recall == 1
    assert llmpr.realism(P, P).shape == (120,)
    assert llmpr.authenticity(P, P) == 0
    assert 0 <= llmpr.nn_accuracy(P, Q) <= 1 and 0 <= llmpr.top_pr(P, Q).precision <= 1


def test_equal_histograms_have_mauve_one():
    assert llmpr.mauve_of_counts([7], [3]).mauve == 1
    alike = np.ones((60, 4), dtype="float32")
    assert llmpr.mauve(alike, alike).mauve == 1
    assert llmpr.frontier_integral(np.array([4, 0]), np.array([0, 4])) == 1


def test_curves_of_shares_are_exact():
    curve = llmpr.pr_curve([0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4], lambdas=[0.1, 0.25, 0.5, 1, 2, 4])
    assert curve.alpha == pytest.approx([0.1, 0.25, 0.4, 0.6, 0.8, 1.0])
    assert curve.beta == pytest.approx(curve.alpha / curve.lambdas)
    assert len(llmpr.pr_curve(P, Q).alpha) == 1001
    with pytest.raises(llmpr.InputError, match="4 bins and samples 2"):
        llmpr.pr_curve([0.4, 0.3, 0.2, 0.1], [0.5, 0.5])


def test_measures_of_texts():
    texts = ["a b c d", "a b c d", "e f g h"]
    assert llmpr.distinct(texts, 1) == 8 / 12 and llmpr.unique_fraction(texts) == 2 / 3
    assert llmpr.mean_tokens(texts) == 4
    assert llmpr.self_bleu(["a b c d e"] * 3) == pytest.approx(1)
    assert llmpr.self_bleu([["a", "b", "c", "d"], ["e", "f", "g", "h"]]) < 0.2
    assert llmpr.repetition(["x y z " * 200, "a b"]) == 0.5
    assert llmpr.ngram_vendi(["a b c d", "e f g h"]) == pytest.approx(2)
    assert llmpr.zipf([" ".join(f"w{i}" for i in range(40) for _ in range(400 // (i + 1)))]) == pytest.approx(-1, abs=0.1)
    for bad, sentence in (("one text", "is one text"), ([], "empty"), ([None], "text 0 is None")):
        with pytest.raises(llmpr.InputError, match=sentence):
            llmpr.distinct(bad)


def test_orders_of_vendi():
    eye = np.eye(5, dtype="float32")
    assert llmpr.vendi(eye, order=[0.5, 1, 2, float("inf")]) == pytest.approx([5] * 4)
