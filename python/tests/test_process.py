"""What a module does to the process that it is in: signals, threads, forks, imports, memory that changes."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import time

import llmpr
import numpy as np
import pytest

HERE = str(pathlib.Path(llmpr.__file__).parent.parent)
RNG = np.random.default_rng(3)

pytestmark = pytest.mark.filterwarnings("ignore::llmpr.ScoreWarning", "ignore::DeprecationWarning")


def child(code):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, "PYTHONPATH": HERE},
                            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_ctrl_c_stops_a_score_and_the_next_one_works():
    process = child("""
        import time, llmpr, numpy
        rows = numpy.random.default_rng(0).standard_normal((30000, 256)).astype("float32")
        llmpr.prdc(rows[:100], rows[:100])
        print("go", flush=True)
        try:
            llmpr.prdc(rows, rows[::-1])
            print("ended", flush=True)
        except KeyboardInterrupt:
            print("interrupted", llmpr.prdc(rows[:100], rows[:100]).precision, flush=True)
    """)
    assert process.stdout.readline().strip() == "go"
    time.sleep(0.6)
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, err = process.communicate(timeout=120)
    took = time.monotonic() - before
    assert said.strip() == "interrupted 1.0", err
    assert took < 3, took


def test_a_forked_process_scores():
    rows = RNG.standard_normal((300, 8)).astype("float32")
    want = llmpr.prdc(rows[:150], rows[150:])
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, repr(llmpr.prdc(rows[:150], rows[150:])).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        assert said.read() == repr(want)
    os.waitpid(pid, 0)


def test_threads_score_at_once_without_the_interpreter_s_lock():
    rows = RNG.standard_normal((3000, 64)).astype("float32")
    want = llmpr.prdc(rows, rows[::2], threads=1)
    found = []
    workers = [threading.Thread(target=lambda: found.append(llmpr.prdc(rows, rows[::2], threads=1))) for _ in range(3)]
    for worker in workers:
        worker.start()
    counted = 0
    while any(worker.is_alive() for worker in workers):
        counted += 1
        time.sleep(0.001)
    assert found == [want] * 3 and counted > 3


def test_values_do_not_depend_on_threads():
    rows = RNG.standard_normal((500, 16)).astype("float32")
    scores = [llmpr.score(rows[:250], rows[250:], resamples=20, permutations=19, threads=n) for n in (1, 2, 3)]
    assert scores[0] == scores[1] == scores[2]


def test_an_array_that_another_thread_writes_to_is_no_crash():
    rows = RNG.standard_normal((2500, 32)).astype("float32")
    other = rows[::-1].copy()
    done = threading.Event()

    def disturb():
        rng = np.random.default_rng(0)
        while not done.is_set():
            at = rng.integers(0, rows.size, 500)
            rows.flat[at] = rng.choice(np.array([np.nan, np.inf, -np.inf, 1e38, 0.0], dtype="float32"), 500)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    outcomes = set()
    try:
        for i in range(12):
            rows[:] = other
            try:
                if i % 2:
                    llmpr.prdc(rows, other)
                else:
                    llmpr.score(rows, other, metrics="precision,mauve", resamples=0, permutations=0)
                outcomes.add("value")
            except llmpr.Error:
                outcomes.add("refused")
    finally:
        done.set()
        disturber.join()
    assert outcomes and llmpr.prdc(other, other).precision == 1


def test_importing_is_light():
    process = child("""
        import sys, threading
        import llmpr
        heavy = {"numpy", "pandas", "matplotlib", "torch", "tqdm", "pyarrow", "subprocess"} & set(sys.modules)
        import os
        print(sorted(heavy - {"subprocess"}), threading.active_count(), len(os.listdir("/proc/self/task")))
    """)
    said, err = process.communicate(timeout=60)
    assert said.split() == ["[]", "1", "1"], said + err


def test_features_in_c_order_are_not_copied():
    resource = pytest.importorskip("resource")
    process = child("""
        import resource, llmpr, numpy
        rows = numpy.ones((40000, 1024), dtype="float32")
        rows[:, 0] = numpy.arange(40000)
        llmpr.frechet(rows[:50, :4].copy(), rows[50:100, :4].copy())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        llmpr.sliced_wasserstein(rows[:20000], rows[20000:], directions=2)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """)
    said, err = process.communicate(timeout=120)
    assert resource and int(said) < 100, said + err
