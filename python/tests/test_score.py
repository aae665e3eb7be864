"""llmpr.score: values, rows, inputs of every kind, refusals."""

import json
import os
import pathlib
import pickle
import subprocess
import sys

import llmpr
import numpy as np
import pytest

RNG = np.random.default_rng(5)
P = RNG.standard_normal((160, 12)).astype("float32")
Q = (RNG.standard_normal((160, 12)) * 0.8 + 0.3).astype("float32")
FEW = {"resamples": 20, "permutations": 19}

pytestmark = pytest.mark.filterwarnings("ignore::llmpr.ScoreWarning")


def command(*words):
    """The command that came with the module, or `LLMPR_BINARY`."""
    program = os.environ.get("LLMPR_BINARY")
    start = [program] if program else [sys.executable, "-m", "llmpr"]
    here = str(pathlib.Path(llmpr.__file__).parent.parent)
    return subprocess.run([*start, *words], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": here}).stdout


@pytest.fixture(scope="module")
def made():
    return llmpr.score(P, Q, **FEW)


def test_every_digit_is_the_command_line_s(made, tmp_path):
    np.save(tmp_path / "p.npy", P)
    np.save(tmp_path / "q.npy", Q)
    said = command(
        "score", "--reference", str(tmp_path / "p.npy"), "--samples", str(tmp_path / "q.npy"), "--format", "json",
        "--resamples", "20", "--permutations", "19",
    )
    assert made.to_dict() == json.loads(said)


def test_a_value_has_what_is_needed_to_read_it(made):
    assert made.precision == made["precision"]
    assert made.precision.low <= made.precision.value <= made.precision.high
    assert 0 < made.precision.p <= 1 and 0.5 < made.precision.ceiling <= 1
    assert float(made.recall) == made.recall.value and "recall" in made
    assert made["alpha@1"].value == pytest.approx(1 - made.tv.value)
    assert "precision" in repr(made) and "precision" in made._repr_html_() and "precision" in made.table()
    assert len(made.table(all=True)) > len(made.table())
    assert set(made.curves["pr"]) == {"lambda", "alpha", "beta"}
    assert pickle.loads(pickle.dumps(made)).precision == made.precision
    with pytest.raises(AttributeError, match="the nearest are .*precision"):
        _ = made.precison
    with pytest.raises(KeyError, match="no measure"):
        made["nothing"]


def test_rows_agree_with_the_values(made):
    keep = llmpr.score(P, Q, metrics="precision,recall,coverage", resamples=0, permutations=0)
    assert keep.inside.mean() == keep.precision.value
    assert keep.recalled.mean() == keep.recall.value
    assert keep.covered.mean() == keep.coverage.value
    assert len(keep.uncovered) == (~keep.covered).sum() and not keep.covered[keep.uncovered].any()
    assert keep.nearest.position.shape == keep.nearest.distance.shape == (160,)
    copied = llmpr.score(P, P[::-1], metrics="precision", resamples=0, permutations=0)
    assert copied.nearest.position.tolist() == list(range(159, -1, -1))
    assert not copied.nearest.distance.any() and np.isinf(copied.realism).any()


def test_rows_keep_their_order_where_sizes_differ():
    found = llmpr.score(P, Q[:50], metrics="precision", resamples=0, permutations=0)
    assert found.inside.shape == (50,) and found.recalled.shape == (160,)
    assert found.to_dict()["reference"]["n"] == 50


def forms():
    yield "double", P.astype("float64")
    yield "half", P.astype("float16").astype("float32")
    yield "Fortran", np.asfortranarray(P)
    yield "sliced", np.repeat(np.repeat(P, 2, axis=0), 2, axis=1)[::2, ::2]
    yield "backwards", P[::-1][::-1]
    yield "lists", P.tolist()
    yield "big-endian", P.astype(">f4")
    yield "read-only", np.frombuffer(P.tobytes(), dtype="float32").reshape(P.shape)


@pytest.mark.parametrize("form", list(forms()), ids=lambda form: form[0])
def test_an_array_of_any_order_and_type_is_read_right(form):
    name, array = form
    bare = {"metrics": "precision,frechet_distance", "resamples": 0, "permutations": 0}
    want = llmpr.score(P if name != "half" else form[1], Q, **bare)
    assert llmpr.score(array, Q, **bare).to_dict() == want.to_dict()


def test_columns_of_other_packages_are_read_right():
    bare = {"metrics": "precision,frechet_distance", "resamples": 0, "permutations": 0}
    want = llmpr.score(P, Q, **bare).to_dict()
    read = []
    for package in ("pandas", "polars", "pyarrow", "torch", "datasets"):
        try:
            module = __import__(package)
        except ImportError:
            continue
        if package == "pandas":
            read += [module.DataFrame(P), module.Series(list(P)), module.Series(P.tolist())]
        elif package == "polars":
            read += [module.DataFrame(P), module.Series(P.tolist())]
        elif package == "pyarrow":
            flat = module.array(P.ravel())
            fixed = module.FixedSizeListArray.from_arrays(flat, P.shape[1])
            read += [fixed, fixed[:160], module.chunked_array([fixed]), module.array(P.tolist())]
        elif package == "torch":
            read += [module.from_numpy(P), module.from_numpy(P).clone().requires_grad_(), module.from_numpy(P).T.contiguous().T]
        else:
            read += [module.Dataset.from_dict({"rows": P.tolist()})["rows"]]
    if not read:
        pytest.skip("none of pandas, polars, pyarrow, torch, datasets is installed")
    for value in read:
        assert llmpr.score(value, Q, **bare).to_dict() == want, type(value)


def test_histograms_have_their_families():
    found = llmpr.score(np.array([5, 5, 0]), np.array([5, 0, 5]))
    assert found.tv.value == 0.5 and "precision" not in found
    with pytest.raises(llmpr.InputError, match="no rows"):
        _ = found.inside


def test_texts_are_embedded():
    texts = [f"{name} was born in {year}." for name in ("Ada", "Max", "Eva") for year in range(1900, 1915)]
    others = [text.replace("born", "seen") for text in texts]
    found = llmpr.score(texts, others, embedder="tiny-gpt2", metrics="precision,self_bleu_4", resamples=0, permutations=0)
    rows = llmpr.embed(texts, "tiny-gpt2"), llmpr.embed(others, "tiny-gpt2")
    again = llmpr.score(*rows, metrics="precision", resamples=0, permutations=0)
    assert found.precision == again.precision and 0 < found.self_bleu_4.value <= 1
    made = llmpr.score(texts, others, embedder=lambda texts: llmpr.embed(texts, "tiny-gpt2"), metrics="precision",
                       resamples=0, permutations=0)
    assert made.precision == again.precision


def test_samples_of_one_prompt_stay_together():
    prompts = [i // 8 for i in range(len(Q))]
    found = llmpr.score(P, Q, prompts=prompts, metrics="precision", **FEW)
    assert found.precision.value == llmpr.score(P, Q, metrics="precision", **FEW).precision.value
    assert "prompts:" in found.signature
    with pytest.raises(llmpr.InputError, match="prompts has 3 entries and samples 160 rows"):
        llmpr.score(P, Q, prompts=[1, 2, 3])


def test_warnings_are_python_s_too():
    with pytest.warns(llmpr.ScoreWarning, match="duplicates"):
        found = llmpr.score(np.repeat(P[:40], 4, axis=0), Q, metrics="support", resamples=0, permutations=0)
    assert "duplicates" in [warning.code for warning in found.warnings]


def nan():
    rows = P.copy()
    rows[3, 2] = np.nan
    return rows


REFUSED = [
    ((nan(), Q), {}, "reference: row 3, column 2 holds NaN"),
    ((P, Q[:, :5]), {}, "reference rows have 12 dimensions and model rows 5"),
    ((P, Q[0]), {}, "samples has 1 dimensions"),
    ((P, Q[None]), {}, "samples has 3 dimensions"),
    ((P, np.float32(3)), {}, "samples has 0 dimensions"),
    ((P, []), {}, "samples is empty"),
    ((P, Q[:0]), {}, "samples is empty"),
    ((P, Q[:1]), {}, "samples: .*n = 1 row"),
    ((P, [[1.0, 2.0], [1.0]]), {}, "row 0 has 2 columns and row 1 has 1"),
    ((P, [[1.0], None]), {}, "row 1 is null"),
    ((P, Q.astype(complex)), {}, "complex"),
    ((P, Q.astype(object)), {}, "an array of object"),
    ((P, np.array([["a", "b"]])), {}, "samples holds texts"),
    ((P, 3), {}, "int holds no rows"),
    ((P, Q.astype(float) * 1e300), {}, "holds .*, which is not a finite number|beyond the range"),
    ((["a", "b"], ["c", "d"]), {}, "name the model that embeds"),
    ((["a", "b"], Q), {}, "reference holds texts and samples features"),
    ((np.array([["a"], ["b"]]), np.array([["a"], ["b"]])), {"embedder": "tiny-gpt2"}, "one column of it"),
    ((["a", None], ["c", "d"]), {"embedder": "tiny-gpt2"}, "text 1 is missing"),
    ((["a", 3], ["c", "d"]), {"embedder": "tiny-gpt2"}, "text 1 is .*int.* not str"),
    ((["a", "b"], ["c", "d"]), {"embedder": "no-such-model"}, "no-such-model"),
    ((["a", "b"], ["c", "d"]), {"embedder": lambda texts: [[1.0]]}, "1 rows of the 2 texts"),
    ((P, Q), {"k": 0}, "k = 0"),
    ((P, Q), {"k": 160}, "k = 160 needs"),
    ((P, Q), {"k": 2.5}, "k = 2.5 is no whole number"),
    ((P, Q), {"pca": 1.5}, "pca = 1.5"),
    ((P, Q), {"pca": "half"}, "pca = 'half'"),
    ((P, Q), {"normalize": "l1"}, "normalize = 'l1'"),
    ((P, Q), {"metrics": "precison"}, "no measure or family `precison`.*precision"),
    ((P, Q), {"metrics": "self_bleu_4"}, "measured on texts"),
    ((P, Q), {"threads": 0}, "threads = 0"),
    ((P, Q), {"lambdas": [-1]}, "lambda = -1"),
    ((np.array([1, 2]), np.array([1, 2, 3])), {}, "bins"),
    ((np.array([1, -2]), np.array([1, 2])), {}, "bin 1 counts -2"),
]


@pytest.mark.parametrize("case", REFUSED, ids=[str(i) + case[2][:20] for i, case in enumerate(REFUSED)])
def test_what_cannot_be_scored_is_refused_with_a_sentence(case):
    sides, settings, sentence = case
    with pytest.raises(ValueError, match=sentence) as caught:
        llmpr.score(*sides, **settings)
    assert isinstance(caught.value, llmpr.Error)
    assert "\n" not in str(caught.value)


def test_a_tensor_elsewhere_says_cpu():
    class Far:
        device = "cuda:0"
        shape = (3, 2)

    with pytest.raises(llmpr.InputError, match=r"give `reference.cpu\(\)`"):
        llmpr.score(Far(), Q)


def test_masked_arrays_are_refused_where_they_hide_something():
    masked = np.ma.masked_greater(Q, 2.0)
    with pytest.raises(llmpr.InputError, match="masked"):
        llmpr.score(P, masked)


def test_a_plot_is_drawn_or_an_svg(made):
    drawn = made.plot()
    assert hasattr(drawn, "plot") or drawn.startswith("<svg")
    from llmpr._plot import _svg

    assert _svg([("a & b", made.precision, made.recall), ("c", made.precision, made.recall)]).count("<circle") == 2


def test_features_are_saved_as_they_read(tmp_path):
    for ending in ("npy", "safetensors"):
        for array in (P, np.asfortranarray(P), P[:, ::2], P.astype("float64"), P.T):
            path = tmp_path / f"features.{ending}"
            llmpr.save_features(path, array, {"model": "mine"})
            assert np.array_equal(llmpr.load_features(path), np.asarray(array, dtype="float32"))
    assert np.array_equal(np.load(tmp_path / "features.npy"), P.T)
    with pytest.raises(llmpr.InputError, match="ends neither"):
        llmpr.save_features(tmp_path / "features.txt", P)
    with pytest.raises(OSError, match="nowhere"):
        llmpr.save_features(tmp_path / "nowhere" / "features.npy", P)
    with pytest.raises(llmpr.Error, match="absent.npy"):
        llmpr.load_features(tmp_path / "absent.npy")
