#!/usr/bin/env bash
# The whole run on a GPU: reference values, determinism, speed beside transformers, in one table.
#
#   scripts/gpu-check.sh build [OUT]     where the toolkit is: builds, and packs what the GPU machine needs
#   scripts/gpu-check.sh run [FOLDER]    where the GPU is: runs the pack in FOLDER and prints the tables
#
# `build` writes OUT (target/gpu-check), at most 64 MiB: the stripped program under xz, the golden models,
# configurations of two Llama shapes, this script and the peer. Models of golden values are looked for in
# $GOLDEN (../shared/golden/models). `run` needs no Rust and no network: python3 with torch and transformers
# for the peer, cuBLAS and cuRAND from torch's wheels or the system.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")

build() {
    local out=${1:-$root/target/gpu-check} golden=${GOLDEN:-$root/../shared/golden/models}
    cd "$root"
    cargo build --release --features cuda
    rm -rf "$out" && mkdir -p "$out"
    cp "${CARGO_TARGET_DIR:-target}/release/llmpr" "$out/llmpr"
    strip "$out/llmpr"
    xz -T0 -6 -f "$out/llmpr"
    cp "$here/gpu-check.sh" "$root/benches/peers/generate_cuda.py" "$out/"
    if [ -d "$golden" ]; then cp -r "$golden" "$out/golden"; fi
    shape llama-1b 2048 16 32 8 64 8192 true >"$out/llama-1b.json"
    shape llama-8b 4096 32 32 8 128 14336 false >"$out/llama-8b.json"
    local mib
    mib=$(du -sm "$out" | cut -f1)
    echo "$out: $mib MiB"
    [ "$mib" -le 64 ] || { echo "gpu-check: more than 64 MiB" >&2; exit 1; }
}

# The shapes of Llama 3.2 1B and Llama 3.1 8B.
shape() {
    cat <<JSON
{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 128256, "hidden_size": $2,
 "num_hidden_layers": $3, "num_attention_heads": $4, "num_key_value_heads": $5, "head_dim": $6,
 "intermediate_size": $7, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
 "hidden_act": "silu", "tie_word_embeddings": $8, "attention_bias": false, "mlp_bias": false,
 "bos_token_id": 128000, "eos_token_id": 128001}
JSON
}

run() {
    cd "${1:-$here}"
    [ -x llmpr ] || { xz -dkf llmpr.xz && chmod +x llmpr; }
    local wheels
    wheels=$(python3 -c 'import nvidia; print(list(nvidia.__path__)[0])' 2>/dev/null || true)
    if [ -n "$wheels" ]; then
        export LD_LIBRARY_PATH="$wheels/cu13/lib:$wheels/cublas/lib:$wheels/curand/lib:${LD_LIBRARY_PATH:-}"
    fi
    nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
    echo "== reference values: CUDA f32"
    ./llmpr models check golden --device cuda:0 --dtype f32 || true
    echo "== the same completions twice in one layout"
    local model
    for model in golden/*/; do
        ./llmpr models check "$model" --determinism --device cuda:0 --dtype bf16 || true
    done
    echo "== speed, bf16: 128 new tokens after a shared prompt of 512"
    local name
    for name in llama-1b llama-8b; do
        echo "-- $name, llmpr"
        ./llmpr models bench --random-weights $name.json --device cuda:0 --dtype bf16 \
            --batch 64,256 --prompt-tokens 512 --shared-prompt --new-tokens 128
        echo "-- $name, transformers"
        python3 generate_cuda.py $name.json --batch 64,256 --prompt-tokens 512 --new-tokens 128 || true
    done
}

case ${1:-} in
build) shift && build "$@" ;;
run) shift && run "$@" ;;
*) sed -n '2,12p' "$0"; exit 2 ;;
esac
