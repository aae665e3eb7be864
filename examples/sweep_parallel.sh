#!/usr/bin/env bash
# A sweep under GNU parallel, each cell a job of its own:
#
#   examples/sweep_parallel.sh --temps 0.2..1.5 --out runs/world
#
# JOBS=8 runs so many at a time (2), HOSTS=nodes.txt runs them on the machines of that file, one a line, which see the same
# folders. A job that fails is tried twice more, and the same command goes on with whatever is left.
set -euo pipefail

cells=$(llmpr sweep "$@" --dry-run | awk '$1 == "cells" { print $2 }')
seq 0 $((cells - 1)) |
  parallel --jobs "${JOBS:-2}" --retries 3 ${HOSTS:+--sshloginfile "$HOSTS" --workdir .} \
    --quote llmpr sweep "$@" --shard "{}/$cells" ||
  echo "some cells failed; the others are scored" >&2
llmpr sweep "$@" --no-draw
