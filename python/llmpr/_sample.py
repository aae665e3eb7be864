"""Completions of one model, as they are finished."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional

from . import _arrays
from ._errors import InputError
from ._words import ended, environment, flags, program, refusal

if TYPE_CHECKING:
    import pathlib

__all__ = ["Completion", "read", "sample"]


class Completion(Dict[str, Any]):
    """A line of ``samples.jsonl``: a dictionary whose fields are attributes, too (``text``, ``prompt_id``, ``logprob``,
    ``finish_reason``, …)."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"a completion has no field `{name}`; it has {', '.join(self)}") from None

    def __repr__(self) -> str:
        text = self.get("text") or ""
        short = text if len(text) <= 60 else text[:57] + "…"
        return f"<llmpr.Completion {self.get('id')}: {short!r}>"


def read(path: pathlib.Path) -> List[Completion]:
    """The completions of a file; a last line that is not whole yet is left out."""
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    out = []
    for number, line in enumerate(whole.split("\n"), start=1):
        if not line:
            continue
        try:
            out.append(Completion(json.loads(line)))
        except ValueError as error:
            raise InputError(f"`{path}`:{number} is no JSON ({error}); the sweep that wrote it draws it again") from None
    return out


def sample(model: str, prompts: Any = None, *, n: Optional[int] = None, **settings: Any) -> Iterator[Completion]:
    """Draw completions, and yield each as soon as it is finished.

    The texts are those of ``llmpr sample`` with the same seed, byte for byte; their order is that in which they are
    finished. Whoever closes the iterator ends the work.

    Parameters
    ----------
    model
        A model as the command line takes it.
    prompts
        A text, a list or column of texts, or a file of them; ``task="…"`` in its place draws from a task's prompts.
    n
        Completions in all, spread over the prompts; one a prompt where ``None``.
    **settings
        Every other long flag of ``llmpr sample``: ``temperature``, ``top_p``, ``max_new_tokens``, ``seed``, ``shots``, …

    Yields
    ------
    Completion

    Raises
    ------
    llmpr.InputError
        With the command line's sentences, as soon as the first completion is asked for.
    """
    if callable(model) or not isinstance(model, (str, os.PathLike)):
        raise InputError(f"model is {type(model).__name__}; name one (functions are for llmpr.sweep)")
    return _drawn(str(model), prompts, {"n": n, **settings})


def _drawn(model: str, prompts: Any, settings: Dict[str, Any]) -> Iterator[Completion]:
    import subprocess
    import tempfile
    import threading

    with tempfile.TemporaryDirectory() as folder:
        words = ["sample", f"--model={model}", *flags(settings)]
        if isinstance(prompts, str) and not os.path.isfile(prompts.partition(":")[0]):
            words.append(f"--prompt={prompts}")
        elif isinstance(prompts, (str, os.PathLike)):
            words.append(f"--prompts={os.fspath(prompts)}")
        elif prompts is not None:
            path = os.path.join(folder, "prompts.jsonl")
            with open(path, "w", encoding="utf-8") as file:
                for prompt in _arrays.texts(prompts, "prompts"):
                    file.write(json.dumps({"prompt": prompt}, ensure_ascii=False) + "\n")
            words.append(f"--prompts={path}")
        process = subprocess.Popen(
            [*program(), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            env=environment(),
        )
        said: List[str] = []
        assert process.stdout is not None and process.stderr is not None
        # A pipe that nobody empties would hold the process up.
        listener = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
        listener.start()
        try:
            for line in process.stdout:
                yield Completion(json.loads(line))
            code = process.wait()
            listener.join()
            if code:
                raise refusal("".join(said), code)
        finally:
            ended(process)
            process.stdout.close()
            listener.join()
            process.stderr.close()
