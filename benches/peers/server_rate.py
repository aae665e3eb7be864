"""Completions a second that two llmpr programs ask for of a server that answers at once, taken in turns.

    server_rate.py LLMPR OTHER [-n 2000] [--batch 16] [--words 200] [--turns 5]

Compiles instant_server.c (it needs `cc`) and runs `llmpr sample` of both programs against it with prompts of as many
words, once with answers in one piece and once with head and body apart, as small servers send them. What a program takes to ask for one completion, start and probes included, is subtracted; printed are the
fastest turns of each, the rates, their ratio, and the server's own limit by a bare client in this script.
"""

import argparse
import pathlib
import socket
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).parent


def limit(port, n, workers):
    """Requests a second of bare sockets in threads, which is what Python can ask; the server can more."""
    body = b'{"seed":1,"temperature":1.0}'
    request = b"POST /v1/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)

    def worker(count):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for _ in range(count):
                connection.sendall(request)
                connection.recv(65536)

    threads = [threading.Thread(target=worker, args=(n // workers,)) for _ in range(workers)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return n / (time.perf_counter() - begun)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("llmpr")
    parser.add_argument("other")
    parser.add_argument("-n", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        server = folder / "instant_server"
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", server, HERE / "instant_server.c"], check=True)
        prompts = folder / "prompts.txt"
        prompts.write_text("".join("word " * args.words + f"{i}\n" for i in range(args.n)))
        for way in ["in one piece", "apart"]:
            print(f"answers {way}:")
            measure(args, folder, prompts, [server] + ["apart"] * (way == "apart"))


def measure(args, folder, prompts, command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline())
            model = f"openai:http://127.0.0.1:{port}/v1#words"

            def seconds(program, n):
                out = folder / "out.jsonl"
                out.unlink(missing_ok=True)
                command = [program, "sample", "--model", model, "--prompts", prompts, "-n", str(n),
                           "--max-new-tokens", "16", "--batch", str(args.batch), "-o", out]
                begun = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                spent = time.perf_counter() - begun
                lines = out.read_text().count("\n")
                assert lines == n, f"{program} wrote {lines} of {n} completions"
                return spent

            best = {}
            for _ in range(args.turns):
                for program in [args.llmpr, args.other]:
                    for n in [1, args.n]:
                        key = (program, n)
                        best[key] = min(best.get(key, float("inf")), seconds(program, n))
            rates = []
            for program in [args.llmpr, args.other]:
                spent = best[program, args.n] - best[program, 1]
                rates.append((args.n - 1) / spent)
                print(f"{program}: {args.n} in {best[program, args.n]:.3f} s, one in {best[program, 1]:.3f} s, "
                      f"{rates[-1]:.0f} a second between")
            whole = best[args.other, args.n] / best[args.llmpr, args.n]
            print(f"ratio {rates[0] / rates[1]:.2f}; whole commands {whole:.2f}")
            if len(command) == 1:
                print(f"bare sockets of this script: {limit(port, 20000, args.batch):.0f} a second")
        finally:
            process.kill()


if __name__ == "__main__":
    main()
