"""How far a run is: a bar of tqdm where that is installed, else lines."""

from __future__ import annotations

import sys
import time
from typing import Any, Optional

from ._log import info

__all__ = ["Bar", "Quiet"]


class Quiet:
    """Says what there is to say to the log alone."""

    def begin(self, phase: str, unit: str, total: int, done: int) -> None:
        info("%s: %d of %d %s", phase, done, total, unit)

    def advance(self, steps: int, tokens: int) -> None:
        pass

    def end(self) -> None:
        pass

    def say(self, sentence: str) -> None:
        info("%s", sentence)


class Bar(Quiet):
    """A bar in a notebook or a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._tokens = 0
        self._phase = ""
        self._done = self._total = 0
        self._said = 0.0
        self._tqdm: Optional[Any] = None
        try:
            from tqdm.auto import tqdm  # type: ignore[import-untyped,import-not-found,unused-ignore]

            self._tqdm = tqdm
        except ImportError:
            pass

    def begin(self, phase: str, unit: str, total: int, done: int) -> None:
        super().begin(phase, unit, total, done)
        self.end()
        self._phase, self._total, self._done, self._tokens, self._said = phase, total, done, 0, time.monotonic()
        if self._tqdm is not None:
            self._bar = self._tqdm(total=total, initial=done, desc=phase, unit=f" {unit}", leave=False)
        else:
            print(f"{phase}: {done} of {total} {unit}", file=sys.stderr)

    def advance(self, steps: int, tokens: int) -> None:
        self._tokens += tokens
        self._done += steps
        if self._bar is not None:
            self._bar.update(steps)
            if self._tokens:
                elapsed = max(self._bar.format_dict.get("elapsed") or 0.0, 1e-9)
                self._bar.set_postfix_str(f"{self._tokens / elapsed:.0f} tokens/s", refresh=False)
        elif time.monotonic() - self._said > 30:
            self._said = time.monotonic()
            print(f"{self._phase}: {self._done} of {self._total}", file=sys.stderr)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def say(self, sentence: str) -> None:
        super().say(sentence)
        if self._bar is not None:
            self._bar.set_postfix_str(sentence[:60])
