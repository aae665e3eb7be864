"""Exceptions. Their sentences are those of the command line."""

from __future__ import annotations

from typing import Optional

__all__ = ["Error", "FileError", "InputError"]


class Error(Exception):
    """Anything that llmpr refuses; every exception of its own is one."""


class InputError(Error, ValueError):
    """Arrays, texts or settings that cannot be used as they are."""


class FileError(Error, OSError):
    """A file, a folder or a connection that failed."""

    def __init__(self, sentence: str, number: Optional[int] = None) -> None:
        super().__init__(sentence)
        self.errno = number

    def __str__(self) -> str:
        return str(self.args[0])
