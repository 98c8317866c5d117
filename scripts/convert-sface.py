#!/usr/bin/env python3
"""Makes assets/sface/sface.safetensors, which ships with the crate, from OpenCV's SFace. Needs onnx and numpy.

    scripts/convert-sface.py face_recognition_sface_2021dec_int8bq.onnx assets/sface/sface.safetensors

Input     OpenCV Zoo's network, also with weights of 32 bits. Of those in 8 bits each block has a scale and a zero point.
Output    the same network with batch normalisation folded into the layer beside it, rounded to F16, by the names and in the
          layouts of src/models/sface.rs: kernels HWIO, the last layer's rows in the order of flattened NHWC. Equal input
          gives equal bytes.

Prints the first numbers of two pictures for kernels-tests/sface.rs, and with onnxruntime installed how far they are from the
original network's.
"""

import json
import struct
import sys

import numpy as np
import onnx
from onnx import numpy_helper


def constants(graph):
    """What the file says of each weight, its 8-bit ones times their scales."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            number, scale, zero = (values[name] for name in node.input)
            attributes = {a.name: a.i for a in node.attribute}
            axis, block = attributes["axis"], attributes["block_size"]
            spread = lambda array: np.repeat(array, block, axis).take(range(number.shape[axis]), axis).astype(np.float64)
            values[node.output[0]] = (number - spread(zero)) * spread(scale)
        elif node.op_type == "Reshape" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]].reshape(values[node.input[1]])
        elif node.op_type == "Identity" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    return values


def affine(node, values):
    """Factor and summand of a batch normalisation."""
    gamma, beta, mean, variance = (values[name].astype(np.float64) for name in node.input[1:])
    epsilon = next(a.f for a in node.attribute if a.name == "epsilon")
    factor = gamma / np.sqrt(variance + epsilon)
    return factor, beta - mean * factor


def layers(graph, values):
    """The network's arrays by name."""
    nodes = {node.input[0]: node for node in graph.node if node.input and node.input[0] not in values}
    arrays, at, convolutions = {}, "data", 0
    before = None
    while at in nodes:
        node = nodes[at]
        at = node.output[0]
        if node.op_type == "Conv":
            name = "conv1" if convolutions == 0 else f"block{(convolutions + 1) // 2}_{('pointwise', 'depthwise')[convolutions % 2]}"
            convolutions += 1
            assert len(node.input) == 2, f"{name}: a bias was not expected"
            kernel = values[node.input[1]].astype(np.float64)
        elif node.op_type == "BatchNormalization" and before == "Conv":
            factor, summand = affine(node, values)
            kernel = (kernel * factor[:, None, None, None]).transpose(2, 3, 1, 0)
            depthwise = name.endswith("depthwise")
            arrays[f"{name}/kernel"] = kernel.transpose(0, 1, 3, 2) if depthwise else kernel
            arrays[f"{name}/bias"] = summand
        elif node.op_type == "PRelu":
            arrays[f"{'conv1_slopes' if name == 'conv1' else name}/alpha"] = values[node.input[1]].reshape(-1)
        elif node.op_type == "BatchNormalization" and before == "Gemm":
            factor, summand = affine(node, values)
            arrays["embedding/kernel"] = kernel * factor
            arrays["embedding/bias"] = bias * factor + summand
        elif node.op_type == "BatchNormalization":
            last = affine(node, values)
        elif node.op_type == "Gemm":
            # The flattened channels come first here, as in NCHW: 7 × 7 places of each.
            weights = values[node.input[1]].astype(np.float64).T.reshape(len(last[0]), 7, 7, -1)
            bias = values[node.input[2]].astype(np.float64) + np.einsum("chwo,c->o", weights, last[1])
            kernel = (weights * last[0][:, None, None, None]).transpose(1, 2, 0, 3).reshape(-1, weights.shape[-1])
        elif node.op_type in ("Sub", "Mul"):
            # What sface_normalize does to pixels.
            assert values[node.input[1]] == {"Sub": 127.5, "Mul": 1 / 128}[node.op_type]
        elif node.op_type not in ("Dropout", "Flatten"):
            sys.exit(f"{node.name}: {node.op_type} was not expected")
        before = node.op_type
    assert convolutions == 27 and "embedding/bias" in arrays, "this is not SFace"
    return arrays


def write(path, arrays):
    header, body = {}, bytearray()
    for name in sorted(arrays):
        begin = len(body)
        body += arrays[name].astype("<f2").tobytes()
        header[name] = {"dtype": "F16", "shape": list(arrays[name].shape), "data_offsets": [begin, len(body)]}
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # readers may map the numbers, which then lie at multiples of eight bytes
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)
    print(f"{path}: {len(header)} arrays, {len(body) // 2} numbers")


def convolve(x, kernel, stride=1, depthwise=False):
    """x NHWC, padded by one pixel where the window has three."""
    size = kernel.shape[0]
    x = np.pad(x, ((0, 0), (size // 2,) * 2, (size // 2,) * 2, (0, 0)))
    out = (x.shape[1] - size) // stride + 1
    parts = (
        (x[:, i : i + stride * out : stride, j : j + stride * out : stride], kernel[i, j])
        for i in range(size)
        for j in range(size)
    )
    return sum(part * weights[:, 0] if depthwise else part @ weights for part, weights in parts)


def embed(arrays, pictures):
    """The file's network in 64 bits: features of length 1 of RGB pictures, NHWC."""
    arrays = {name: array.astype("<f2").astype(np.float64) for name, array in arrays.items()}

    def half(x, name, slopes, **how):
        y = convolve(x, arrays[f"{name}/kernel"], **how) + arrays[f"{name}/bias"]
        return np.where(y > 0, y, arrays[f"{slopes}/alpha"] * y)

    x = half((pictures - 127.5) / 128, "conv1", "conv1_slopes")
    for block in range(1, 14):
        name = f"block{block}_"
        stride = 2 if block in (2, 4, 6, 12) else 1
        x = half(x, name + "depthwise", name + "depthwise", stride=stride, depthwise=True)
        x = half(x, name + "pointwise", name + "pointwise")
    y = x.reshape(len(x), -1) @ arrays["embedding/kernel"] + arrays["embedding/bias"]
    return y / np.linalg.norm(y, axis=1, keepdims=True)


def pictures():
    """Two that kernels-tests/sface.rs makes too."""
    i = np.arange(2 * 112 * 112 * 3)
    return ((i // 3 % 112) ** 2 // 97 + i // 3 // 112 * (1 + i % 3)).astype(np.uint8).reshape(2, 112, 112, 3).astype(float)


def compare(model, ours):
    import onnxruntime

    inputs = [i for i in model.graph.input if i.name == "data"]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    original = onnxruntime.InferenceSession(model.SerializeToString())
    for picture, features in zip(pictures(), ours):
        found = original.run(None, {"data": picture.astype(np.float32).transpose(2, 0, 1)[None]})[0][0]
        found = found / np.linalg.norm(found)
        print(f"largest difference from the original {abs(found - features).max():.1e}, cosine {found @ features:.6f}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    model = onnx.load(sys.argv[1])
    values = constants(model.graph)
    arrays = layers(model.graph, values)
    write(sys.argv[2], arrays)
    ours = embed(arrays, pictures())
    for features in ours:
        print("first numbers:", ", ".join(f"{x:.7f}" for x in features[:8]))
    try:
        compare(model, ours)
    except ImportError:
        print("onnxruntime is not there: not compared with the original")


if __name__ == "__main__":
    main()
