"""A sweep as a Dask bag, each cell an item of its own:

    pip install "dask[bag]"
    python examples/sweep_dask.py --temps 0.2..1.5 --out runs/world

With SCHEDULER=tcp://… (and `pip install distributed`) a cluster of Dask's takes the items; its workers see the same folders.
"""

import os
import subprocess
import sys


def part(index, cells, flags):
    """Draws and embeds one cell; another attempt goes on where this one ended."""
    command = ["llmpr", "sweep", *flags, "--shard", f"{index}/{cells}"]
    for _ in range(3):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.strip()
    return f"part {index} failed: {done.stderr.strip()}"


def main(flags):
    import dask.bag

    if "SCHEDULER" in os.environ:
        from distributed import Client

        Client(os.environ["SCHEDULER"])
    plan = subprocess.run(["llmpr", "sweep", *flags, "--dry-run"], check=True, capture_output=True, text=True)
    cells = next(int(line.split()[1]) for line in plan.stdout.splitlines() if line.startswith("cells "))
    bag = dask.bag.from_sequence(range(cells), partition_size=1)
    for said in bag.map(part, cells=cells, flags=flags).compute():
        print(said)
    return subprocess.run(["llmpr", "sweep", *flags, "--no-draw"]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
