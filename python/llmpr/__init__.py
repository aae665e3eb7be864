"""Quality and diversity of language models, as two separate numbers."""

from __future__ import annotations

from ._errors import Error, FileError, InputError
from ._llmpr import __version__

__all__ = ["Error", "FileError", "InputError", "__version__"]
