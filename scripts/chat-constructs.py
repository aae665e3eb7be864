#!/usr/bin/env python3
"""What transformers makes of the templates in src/text/chat/constructs.json, written back into that file.

    python3 -m venv venv && venv/bin/pip install transformers jinja2 torch
    venv/bin/python scripts/chat-constructs.py

A template there exercises one construct. To add one, write its `template` into the file and run this: `text` is
what `apply_chat_template` gives for the file's `messages` on its `date`, `error` what it raises.
"""

import datetime
import json
import pathlib

import jinja2
import transformers
import transformers.utils.chat_template_utils as chat

FILE = pathlib.Path(__file__).parent.parent / "src/text/chat/constructs.json"


def main():
    cases = json.loads(FILE.read_text())
    day = datetime.datetime.fromisoformat(cases["date"])

    class Day(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return day

    chat.datetime = Day
    for case in cases["templates"].values():
        case.pop("text", None)
        case.pop("error", None)
        try:
            rendered, _ = chat.render_jinja_template(
                conversations=[cases["messages"]],
                chat_template=case["template"],
                add_generation_prompt=True,
                **cases["special_tokens"],
            )
            case["text"] = rendered[0]
        except Exception as error:
            case["error"] = f"{type(error).__name__}: {error}"
    cases["made_with"] = f"transformers {transformers.__version__}, jinja2 {jinja2.__version__}"
    FILE.write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")


main()
