"""Features in files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Mapping, Optional, Union

from . import _arrays

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["load_features", "save_features"]

Path = Union[str, "os.PathLike[str]"]


def save_features(path: Path, features: Any, metadata: Optional[Mapping[str, Any]] = None) -> None:
    """Write features as ``.npy`` or ``.safetensors``, in C order whatever the order of the array.

    The file appears under its name only when it is complete.

    Parameters
    ----------
    path
        Where to; its ending decides the format.
    features
        n × d numbers, in any order and type: an array that is transposed, sliced or in Fortran's order is written as it
        reads (safetensors 0.8.0 writes the memory of such an array as it lies, and another matrix is read back).
    metadata
        Facts kept in the header of a ``.safetensors``.
    """
    from ._llmpr import save_features as native

    facts = [(str(name), str(fact)) for name, fact in (metadata or {}).items()]
    native(os.fspath(path), _arrays.features(features, "features"), facts)


def load_features(path: Path) -> "npt.NDArray[np.float32]":
    """Read features as the command line does: ``.npy``, ``.npz[:key]``, ``.safetensors[:tensor]``; n × d ``float32``."""
    from ._llmpr import load_features as native

    return native(os.fspath(path))
