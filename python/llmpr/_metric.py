"""A metric that batches are given to, in the manner of torchmetrics; it needs none of its packages."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from . import _arrays
from ._errors import InputError
from ._score import Score, score

__all__ = ["PrecisionRecall"]


class PrecisionRecall:
    """Precision, recall and whatever else :func:`llmpr.score` measures, over batches of features or texts.

    Parameters
    ----------
    **settings
        Those of :func:`llmpr.score`.

    Examples
    --------
    >>> import llmpr, numpy
    >>> metric = llmpr.PrecisionRecall(metrics="precision,recall", resamples=0, permutations=0)
    >>> rows = numpy.random.default_rng(0).standard_normal((40, 4)).astype("float32")
    >>> for batch in (rows[:20], rows[20:]):
    ...     metric.update(reference=batch, samples=batch)
    >>> metric.compute().precision.value
    1.0
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    def __init__(self, **settings: Any) -> None:
        self.settings: Dict[str, Any] = settings
        self._sides: Dict[str, List[Any]] = {"reference": [], "samples": []}
        self._of_texts: Optional[bool] = None

    def update(self, reference: Any = None, samples: Any = None) -> None:
        """Add rows or texts to either side, or to both.

        A batch that is refused changes nothing.
        """
        added: Dict[str, Any] = {}
        of_texts = self._of_texts
        for name, batch in (("reference", reference), ("samples", samples)):
            if batch is None:
                continue
            texts = _arrays.is_texts(batch)
            if of_texts is not None and of_texts != texts:
                raise InputError(f"{name}: earlier batches held {'texts' if of_texts else 'features'}; both are not mixed")
            of_texts = texts
            if texts:
                added[name] = _arrays.texts(batch, name)
                continue
            rows = _arrays.features(batch, name)
            earlier = [*self._sides["reference"], *self._sides["samples"], *added.values()]
            if earlier and earlier[0].shape[1] != rows.shape[1]:
                raise InputError(
                    f"{name}: rows of this batch have {rows.shape[1]} columns and those before {earlier[0].shape[1]}; "
                    "all come from one embedder"
                )
            # The caller may fill the same buffer with the next batch.
            added[name] = rows.copy() if rows is batch or rows.base is not None else rows
        self._of_texts = of_texts
        for name, batch in added.items():
            self._sides[name].append(batch)

    def compute(self) -> Score:
        """The score of all that was added."""
        import numpy as np

        sides = []
        for name, batches in self._sides.items():
            if not batches:
                raise InputError(f"{name} is empty; update({name}=…) adds to it")
            sides.append([text for batch in batches for text in batch] if self._of_texts else np.concatenate(batches))
        return score(sides[0], sides[1], **self.settings)

    def reset(self) -> None:
        """Forget all that was added."""
        self._sides = {"reference": [], "samples": []}
        self._of_texts = None

    def merge(self, other: "PrecisionRecall") -> "PrecisionRecall":
        """Add all that `other` holds, such as another process's part; gives this metric."""
        if None not in (self._of_texts, other._of_texts) and self._of_texts != other._of_texts:
            raise InputError("one metric holds texts and the other features; both are not mixed")
        self._of_texts = other._of_texts if self._of_texts is None else self._of_texts
        for name, batches in other._sides.items():
            self._sides[name].extend(batches)
        return self

    def forward(self, reference: Any = None, samples: Any = None) -> Score:
        """Add a batch, and score that batch alone."""
        self.update(reference, samples)
        return score(reference, samples, **self.settings)

    __call__ = forward

    def __repr__(self) -> str:
        counts = {name: sum(map(len, batches)) for name, batches in self._sides.items()}
        return f"<llmpr.PrecisionRecall of {counts['reference']} and {counts['samples']} rows>"
