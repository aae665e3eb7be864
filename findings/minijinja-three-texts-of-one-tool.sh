#!/usr/bin/env bash
# One chat template and one tool give three prompts in three engines.
#
# Package: transformers 5.23.0, Jinja2 3.1.6 and minijinja 3.1.0, the filter `tojson`
# Guess:   minijinja and transformers render a template as Jinja2 does; what differs is speed and
#          what a template may call.
# Happens: Jinja2 sorts the keys, writes letters beyond ASCII as codes and hides <, >, & and ' as
#          codes. minijinja keeps the order and the letters, and hides the same signs.
#          transformers has a filter of its own under the name and hides nothing. Small numbers
#          differ as well: 1e-07 in two, 0.0000001 in the third.
# Matters: `tojson` is how templates show tools to a model. A model trained on one of these texts
#          is measured on another, according to which engine the server was built with.
# Output:
#   Jinja2       [{"description": "Z\u00fcrich\u0027s \u003cb\u003e", "name": "find"}] 1e-07
#   minijinja    [{"name": "find", "description": "Zürich\u0027s \u003cb\u003e"}] 0.0000001
#   transformers [{"name": "find", "description": "Zürich's <b>"}] 1e-07
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check transformers==5.23.0 tokenizers==0.23.3 jinja2==3.1.6 minijinja==3.1.0
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TRANSFORMERS_NO_ADVISORY_WARNINGS"] = "1"
import jinja2, minijinja
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

template = "{{ tools | tojson }} {{ 1e-7 }}"
tools = [{"name": "find", "description": "Zürich's <b>"}]
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
chat = [{"role": "user", "content": "hello"}]
seen = {
    "Jinja2": jinja2.Environment().from_string(template).render(tools=tools),
    "minijinja": minijinja.Environment().render_str(template, tools=tools),
    "transformers": tokenizer.apply_chat_template(
        chat, tools=tools, chat_template=template, tokenize=False
    ),
}
for engine, text in seen.items():
    print(f"{engine:12} {text}")
assert r'[{"description": "Z\u00fcrich\u0027s \u003cb\u003e", ' in seen["Jinja2"]
assert r'"description": "Zürich\u0027s \u003cb\u003e"}] 0.0000001' in seen["minijinja"]
assert '"description": "Zürich\'s <b>"}] 1e-07' in seen["transformers"]
EOF
