#!/usr/bin/env python3
# Makes assets/face/face.safetensors, which ships with the crate, from the weights of dlib's network in 32 bits. Needs
# nothing but Python.
#
#   scripts/convert-face.py face_resnet29.safetensors assets/face/face.safetensors
#
# Input     `conv01/kernel` HWIO and `conv01/bias` to `conv29/…`, `embedding/kernel` [in, out], F32: the layers of
#           dlib_face_recognition_resnet_model_v1.dat in their order, batch normalisation folded into the convolutions.
# Output    the same numbers, rounded to F16, by the names of src/models/face.rs: `conv1`, then `block1_a`, `block1_b` to
#           `block14_b`, `embedding`. Equal input gives equal bytes.
import json
import struct
import sys


def name(old):
    layer, part = old.split("/")
    if layer == "embedding":
        return old
    number = int(layer.removeprefix("conv"))
    if number == 1:
        return f"conv1/{part}"
    return f"block{number // 2}_{'ab'[number % 2]}/{part}"


source, target = sys.argv[1:]
data = open(source, "rb").read()
length = struct.unpack_from("<Q", data)[0]
arrays = {old: info for old, info in json.loads(data[8 : 8 + length]).items() if old != "__metadata__"}

header, body = {}, bytearray()
for old, info in sorted(arrays.items(), key=lambda item: name(item[0])):
    assert info["dtype"] == "F32", f"{old}: 32-bit floats are expected"
    start, end = info["data_offsets"]
    count = (end - start) // 4
    numbers = struct.unpack_from(f"<{count}f", data, 8 + length + start)
    begin = len(body)
    body += struct.pack(f"<{count}e", *numbers)
    header[name(old)] = {"dtype": "F16", "shape": info["shape"], "data_offsets": [begin, len(body)]}

text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)  # readers may map the numbers, which then lie at multiples of eight bytes
with open(target, "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + body)
print(f"{target}: {len(header)} arrays, {len(body) // 2} numbers")
