"""Serves a GGUF file by llama.cpp's own server, out of the wheel of xllamacpp (pip install xllamacpp).

    python scripts/llama-cpp-server.py MODEL.gguf --port 8080

For machines without llama-server; tests/cli/sweep/llama_cpp.rs takes either.
"""

import argparse
import time

import xllamacpp


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--context", type=int, default=1024, help="tokens a slot")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = args.model
    params.hostnames = ["127.0.0.1"]
    params.port = args.port
    params.n_parallel = args.slots
    params.n_ctx = args.context * args.slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = args.threads
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
