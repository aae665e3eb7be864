"""The package's log, made when there is something to say: importing logging takes as long as all the rest."""

from __future__ import annotations

__all__ = ["info"]


def info(form: str, *args: object) -> None:
    """Says something to the logger ``llmpr``."""
    import logging

    logging.getLogger("llmpr").info(form, *args)
