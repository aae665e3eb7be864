"""The command ``llmpr``."""

from __future__ import annotations

import signal
import sys

from ._llmpr import command


def main() -> int:
    """Run the command line as the program does that has no Python around it."""
    # Python's own handler would wait for the interpreter, which does nothing until the command has ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    return command(sys.argv)
