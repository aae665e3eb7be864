"""``python -m llmpr``."""

import sys

from ._command import main

sys.exit(main())
