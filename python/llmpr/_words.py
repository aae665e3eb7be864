"""Keyword arguments as flags of the command line, and commands in a process of their own."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

from ._errors import Error, FileError, InputError

if TYPE_CHECKING:
    import subprocess

__all__ = ["asked", "flags", "program", "refusal"]


def _word(name: str, value: Any) -> str:
    """A value as it stands behind a flag; lists, ranges and arrays fall apart at commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) or hasattr(value, "__fspath__"):
        return str(os.fspath(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (int, float)):
        return repr(value)
    if hasattr(value, "tolist"):
        listed = value.tolist()
        if not isinstance(listed, list):
            return _word(name, listed)
        # Steps of arange are sums: 0.1 more than 0.2 shall be 0.3.
        return ",".join(_word(name, float(f"{each:.12g}") if isinstance(each, float) else each) for each in listed)
    if isinstance(value, (list, tuple, range)):
        if not len(value):
            raise InputError(f"{name} is empty; leave it out or name a value")
        return ",".join(_word(name, each) for each in value)
    raise InputError(f"{name} = {value!r:.60} is no word, number or list of them")


def flags(given: Dict[str, Any], short: Sequence[str] = ("n",)) -> List[str]:
    """The flags of keyword arguments: ``top_p=0.9`` is ``--top-p=0.9``; ``None`` and ``False`` are left out, and ``True`` is
    the flag alone."""
    words = []
    for name, value in given.items():
        if value is None or value is False:
            continue
        dashes = "-" if name in short else "--"
        flag = dashes + name.rstrip("_").replace("_", "-")
        if value is True:
            words.append(flag)
        elif name in short:
            words.append(f"{flag}{_word(name, value)}")
        else:
            words.append(f"{flag}={_word(name, value)}")
    return words


def program() -> List[str]:
    """How the command line is started in a process of its own."""
    return [sys.executable, "-m", "llmpr"]


def environment() -> Dict[str, str]:
    """That of a child, which finds this very package."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([here, before] if before else [here])}


def refusal(said: str, code: int) -> Error:
    """What a command said as it failed, as an exception."""
    lines = [line for line in said.splitlines() if line.strip()]
    sentence = next((line for line in reversed(lines) if line.startswith("llmpr: ")), None)
    if sentence is None:
        sentence = next((line for line in lines if line.startswith("error: ")), lines[-1] if lines else f"exit code {code}")
    sentence = sentence.split(": ", 1)[-1]
    return FileError(sentence) if "os error" in sentence else InputError(sentence)


def asked(words: Sequence[str], json_out: bool = True, allowed: Sequence[int] = (0,)) -> Any:
    """What a command prints: the object of its JSON, or text.

    Ctrl-C ends the command, too, and is raised.
    """
    import subprocess

    made = subprocess.Popen(
        [*program(), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment()
    )
    try:
        out, said = made.communicate()
    except BaseException:
        ended(made)
        raise
    if made.returncode not in allowed:
        raise refusal(said, made.returncode)
    if not json_out:
        return out
    return json.loads(out)


def ended(process: "subprocess.Popen[str]", patience: Optional[float] = 5.0) -> None:
    """Ends a process that keeps what it finished."""
    import signal
    import subprocess

    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
