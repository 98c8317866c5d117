#!/usr/bin/env bash
# Time from faces to a trained recogniser: ours and the tutorial's Keras recipe, in turns, on the same pictures, with the
# same head and as many epochs. Whole programs are timed, from start to the saved model; ours starts without any features.
#
#   LOOKALIKE_DATA=… benches/transfer.sh PYTHON [ROUNDS [PICTURES [EPOCHS]]]
#
# PYTHON has keras and a backend (KERAS_BACKEND, tensorflow by default). ADAPTER chooses our device, cpu by default.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:?name a python with keras}
rounds=${2:-3} pictures=${3:-200} epochs=${4:-10}
data=${LOOKALIKE_DATA:?names the folder with photos/ and vgg16/}
weights=$data/vgg16/vgg16_torchvision_notop.h5
export KERAS_BACKEND=${KERAS_BACKEND:-tensorflow} TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-}
out=target/transfer
rm -rf "$out"
mkdir -p "$out/photos"

cargo build --release
for person in bezos gates; do
    mkdir "$out/photos/$person"
    find "$data/photos/gates-bezos/$person" -type f | sort | head -n $((pictures / 2)) |
        while read -r photo; do cp "$photo" "$out/photos/$person/"; done
done
target/release/lookalike crop "$out/photos" -o "$out/faces.npz" --adapter cpu --plain >"$out/crop.log" 2>&1

seconds() {
    local start
    start=$(date +%s.%N)
    "$@"
    date +"%s.%N $start" | awk '{ printf "%.2f\n", $1 - $2 }'
}
ours() {
    rm -rf "$out/cache"
    LOOKALIKE_CACHE=$out/cache target/release/lookalike train "$out/faces.npz" -o "$out/ours.safetensors" --model vgg16 \
        --weights "$weights" --no-augment --smoothing 0 --epochs "$epochs" --patience "$epochs" --batch 16 --adapter "${ADAPTER:-cpu}" \
        --plain >"$out/ours.log" 2>&1
}
keras() { "$python" benches/rivals/keras_transfer.py "$out/faces.npz" "$weights" "$epochs" 16 "$out/keras.keras" >"$out/keras.log" 2>&1; }

for ((round = 1; round <= rounds; round++)); do
    own=$(seconds ours)
    theirs=$(seconds keras)
    awk -v r="$round" -v a="$own" -v b="$theirs" 'BEGIN { printf "round %d: ours %.1f s, Keras %.1f s, ratio %.2f\n", r, a, b, b / a }'
done | tee "$out/rounds.txt"
grep -oE 'ratio .*' "$out/rounds.txt" | cut -d' ' -f2 | sort -n |
    awk '{ all[NR] = $1 } END { printf "median ratio %.2f\n", (all[int((NR + 1) / 2)] + all[int(NR / 2) + 1]) / 2 }'
echo "ours:"
grep -E 'frozen layers|validation accuracy' "$out/ours.log"
tail -n +2 "$out/ours.csv" | awk -F, '{ printf "%s ", $7 } END { print "s in the epochs" }'
echo "Keras:"
tail -n 1 "$out/keras.log"
