"""Whatever holds numbers or texts, as the arrays and lists that are measured."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

from ._errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Rows = npt.NDArray[np.float32]

__all__ = ["features", "histogram", "is_histogram", "is_texts", "moved_sides", "texts"]


def _kind(value: Any) -> str:
    return f"{type(value).__module__.split('.')[0]}.{type(value).__name__}"


def _as_array(value: Any, name: str) -> Any:
    """`value` as a numpy array of whatever shape and type it has, without a copy where that can be."""
    import numpy as np

    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise InputError(f"{name}: {int(np.ma.getmaskarray(value).sum())} values are masked; fill or drop them")
        return value.data
    if isinstance(value, np.ndarray):
        return value
    device = getattr(value, "device", None)
    where = getattr(device, "type", None) or (device if isinstance(device, str) else None)
    if where is not None and str(where).split(":")[0] not in ("cpu", "None"):
        raise InputError(f"{name}: a tensor on {device} is not read from there; give `{name}.cpu()`")
    if getattr(value, "requires_grad", False):
        value = value.detach()
    if _kind(value).startswith("torch."):
        value = _dense(value, name)
    if _kind(value).startswith("datasets.") and hasattr(value, "column_names"):
        columns = ", ".join(map(str, value.column_names))
        raise InputError(f"{name} is a whole data set; give one of its columns ({columns})")
    if _kind(value).startswith("pyarrow."):
        return _of_arrow(value, name)
    if _kind(value).startswith("polars.") and hasattr(value, "to_numpy"):
        value = value.to_numpy()
    elif _kind(value).startswith("pandas.") and hasattr(value, "to_numpy"):
        value = value.to_numpy()
    elif hasattr(value, "__array__"):
        value = np.asarray(value)
    elif hasattr(value, "__dlpack__"):
        value = np.from_dlpack(value)
    elif hasattr(value, "__getitem__") and hasattr(value, "__len__"):
        value = list(value[:]) if not isinstance(value, (list, tuple)) else value
    elif hasattr(value, "__iter__") and not isinstance(value, (str, bytes, dict)):
        value = list(value)
    else:
        raise InputError(f"{name}: {_kind(value)} holds no rows of numbers; give an array of n × d")
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value
    return _stacked(value, name)


def _dense(tensor: Any, name: str) -> Any:
    """A tensor of torch that numpy can read."""
    dtype = str(getattr(tensor, "dtype", ""))
    if "complex" in dtype:
        raise InputError(f"{name} holds complex numbers; give their real features")
    if "strided" not in str(getattr(tensor, "layout", "strided")):
        raise InputError(f"{name}: a tensor of layout {tensor.layout} has no rows to read; give `{name}.to_dense()`")
    narrow = "bfloat16" in dtype or "float8" in dtype
    return tensor.float() if narrow else tensor


def _of_arrow(value: Any, name: str) -> Any:
    """A column of lists, or a table of numbers."""
    import numpy as np

    if hasattr(value, "column_names"):
        return np.column_stack([np.asarray(value[column]) for column in value.column_names])
    if hasattr(value, "combine_chunks"):
        value = value.combine_chunks()
        if hasattr(value, "chunks"):
            value = value.chunk(0) if value.num_chunks else value
    if getattr(value, "null_count", 0):
        raise InputError(f"{name}: {value.null_count} rows are null; drop them")
    size = getattr(value.type, "list_size", None)
    if size is not None and hasattr(value, "flatten"):
        return np.asarray(value.flatten()).reshape(len(value), size)
    return _stacked(value.to_pylist(), name)


def _stacked(value: Any, name: str) -> Any:
    """Rows one below the other; whoever is of another length is named."""
    import numpy as np

    rows = list(value)
    if not rows:
        raise InputError(f"{name} is empty; give at least two rows")
    if any(row is None for row in rows):
        missing = next(i for i, row in enumerate(rows) if row is None)
        raise InputError(f"{name}: row {missing} is null; drop it")
    lengths = [len(row) if hasattr(row, "__len__") and not isinstance(row, (str, bytes)) else None for row in rows]
    if any(length is None for length in lengths):
        array = np.asarray(rows)
        if array.dtype == object or array.dtype.kind in "USO":
            odd = next(i for i, length in enumerate(lengths) if length is None)
            raise InputError(f"{name}: row {odd} is {rows[odd]!r:.60}, which is no list of numbers")
        return array
    other = next((i for i, length in enumerate(lengths) if length != lengths[0]), None)
    if other is not None:
        raise InputError(
            f"{name}: row 0 has {lengths[0]} columns and row {other} has {lengths[other]}; "
            "all rows come from one embedder"
        )
    return np.asarray([_as_array(row, name) if hasattr(row, "device") else row for row in rows])


def features(value: Any, name: str) -> "Rows":
    """Rows of numbers as an array of ``float32`` in C order, which is read in place.

    Parameters
    ----------
    value
        n × d numbers in any type and order: a numpy array or slice, a tensor on the CPU, a data frame, a column of
        lists, a list of lists. Only an array of ``float32`` in C order is used without a copy.
    name
        What it is called in sentences.

    Raises
    ------
    llmpr.InputError
        For anything else; it says what it is and what would be right.
    """
    import numpy as np

    array = _as_array(value, name)
    if array.dtype.kind in "US" or (array.dtype == object and array.size and isinstance(array.flat[0], str)):
        raise InputError(f"{name} holds texts; name the model that embeds them with embedder=…")
    if array.dtype.kind == "c":
        raise InputError(f"{name} holds complex numbers; give their real features")
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} is an array of {array.dtype}, which are no numbers; give float32")
    if array.ndim != 2:
        shape = " × ".join(map(str, array.shape)) or "a single number"
        raise InputError(f"{name} has {array.ndim} dimensions ({shape}); give n rows × d columns")
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise InputError(f"{name} is empty ({array.shape[0]} × {array.shape[1]}); give at least two rows")
    with np.errstate(over="ignore", invalid="ignore"):
        out = np.ascontiguousarray(array, dtype=np.float32)
    if out is not array and array.dtype == np.float64 and not np.isfinite(out).all() and np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(out))[0]
        raise InputError(
            f"{name}: row {row}, column {column} holds {array[row, column]:g}, beyond the range of float32; scale it"
        )
    return out


_FAR = 64.0
"""Distance from the origin, in standard deviations, beyond which rows are moved before they become ``float32``: there
rounding is 64 · 2⁻²⁴, or 4e-6, of a deviation."""


def moved_sides(
    reference: Any, samples: Any, names: Tuple[str, str] = ("reference", "samples")
) -> Tuple["Rows", "Rows"]:
    """Both sides' :func:`features`, for what depends on distances alone.

    Rows of ``float64`` that lie far from the origin, beside how far they lie from each other, are moved by the
    reference's mean while they are still ``float64``; ``float32`` would round what tells them apart.
    """
    import numpy as np

    sides = [_as_array(side, name) for side, name in zip((reference, samples), names)]
    far = all(side.dtype == np.float64 and side.ndim == 2 and side.size for side in sides)
    if far and sides[0].shape[1] == sides[1].shape[1]:
        with np.errstate(all="ignore"):
            mean, spread = sides[0].mean(axis=0), sides[0].var(axis=0).mean() ** 0.5
            if np.isfinite(mean).all() and float(abs(mean).max()) > _FAR * float(spread):
                sides = [side - mean for side in sides]
    return features(sides[0], names[0]), features(sides[1], names[1])


def is_histogram(value: Any) -> bool:
    """Whether it is one row of whole numbers: counts over bins."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray):
        return False
    return bool(value.ndim == 1 and value.dtype.kind in "iu")


def histogram(value: Any, name: str) -> List[int]:
    """Counts over bins, checked."""
    counts = [int(count) for count in value]
    negative = next((i for i, count in enumerate(counts) if count < 0), None)
    if negative is not None:
        raise InputError(f"{name}: bin {negative} counts {counts[negative]}; counts are 0 or more")
    return counts


def _column(value: Any) -> Optional[List[Any]]:
    """A list, tuple, one-dimensional array or column as a list; `None` for whatever is none."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, str):
        return None
    kind = _kind(value)
    if kind.startswith("pyarrow.") and hasattr(value, "to_pylist"):
        return list(value.to_pylist()) if not hasattr(value, "column_names") else None
    if getattr(value, "ndim", 1) != 1:
        return None
    if kind.startswith(("pandas.", "polars.")):
        return list(value.to_list()) if hasattr(value, "to_list") else None
    if kind.startswith("numpy."):
        return list(value.tolist())
    if kind.startswith("datasets.") and hasattr(value, "__getitem__"):
        return list(value[:]) if not hasattr(value, "column_names") else None
    return None


def is_texts(value: Any) -> bool:
    """Whether it is a column of texts."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray) and value.dtype.kind not in "USO":
        return False
    if not isinstance(value, (list, tuple)) and _kind(value).split(".")[0] not in (
        "numpy", "pandas", "polars", "pyarrow", "datasets",
    ):
        return False
    column = _column(value)
    return bool(column) and any(isinstance(text, str) for text in column or ())


def texts(value: Any, name: str) -> List[str]:
    """A column of texts, checked.

    Raises
    ------
    llmpr.InputError
        For an array of two dimensions, a text that is missing or is none, or none at all.
    """
    if isinstance(value, str):
        raise InputError(f"{name} is one text; give a list of texts")
    if getattr(value, "ndim", 1) > 1:
        shape = " × ".join(map(str, value.shape))
        raise InputError(f"{name} is an array of {shape} texts; give one column of it")
    column = _column(value)
    if column is None:
        raise InputError(f"{name}: {_kind(value)} is no column of texts; give a list of str")
    if not column:
        raise InputError(f"{name} is empty; give at least two texts")
    for row, text in enumerate(column):
        if text is None or (isinstance(text, float) and text != text):
            raise InputError(f"{name}: text {row} is missing; drop it, or put an empty text in its place")
        if not isinstance(text, str):
            raise InputError(f"{name}: text {row} is {_kind(text)} ({text!r:.40}), not str")
    return column
