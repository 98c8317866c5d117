# Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011), in NumPy.
#
# Run as a program it writes philox.json: the known answers of Random123's kat_vectors, which it checks itself
# against, and the words that the golden programs draw.
#
#   pip install numpy
#   python philox.py
import json
from pathlib import Path

import numpy as np

KNOWN_ANSWERS = [  # counter, key, result: the lines "philox4x32 10" of Random123's tests/kat_vectors
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def philox4x32_10(counter, key):
    """Blocks of four u32 words, [blocks, 4], for counters [blocks, 4] and one key (k0, k1)."""
    mask = np.uint64(0xFFFFFFFF)
    c0, c1, c2, c3 = np.asarray(counter, dtype=np.uint64).T
    k0, k1 = (np.uint64(k) for k in key)
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c0
        p1 = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> np.uint64(32)) ^ c1 ^ k0, p1 & mask, (p0 >> np.uint64(32)) ^ c3 ^ k1, p0 & mask
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def words(seed, stream, count):
    """Word j is component j % 4 of the block with counter (j / 4, 0, 0, 0) and key (seed, stream)."""
    counter = np.zeros((-(-count // 4), 4), dtype=np.uint64)
    counter[:, 0] = np.arange(len(counter))
    return philox4x32_10(counter, (seed, stream)).ravel()[:count]


def uniform(seed, stream, count):
    """Floats of [0, 1) on the grid of 2^-24, exact in f32."""
    return (words(seed, stream, count) >> 8).astype(np.float64) * 2.0**-24


def parse(text):
    return [int(word, 16) for word in text.split()]


def main():
    for counter, key, result in KNOWN_ANSWERS:
        assert philox4x32_10([parse(counter)], parse(key))[0].tolist() == parse(result)
    names = ("counter", "key", "result")
    answers = [dict(zip(names, map(parse, answer), strict=True)) for answer in KNOWN_ANSWERS]
    lines = ",\n  ".join(json.dumps(answer) for answer in answers)
    stream = json.dumps({"key": [7, 3], "words": words(7, 3, 16).tolist()})
    text = f'{{\n "known_answers": [\n  {lines}\n ],\n "stream": {stream}\n}}\n'
    Path(__file__).with_name("philox.json").write_text(text)


if __name__ == "__main__":
    main()
