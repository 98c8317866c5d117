#!/usr/bin/env python3
# Grad-CAM in PyTorch, to hold ours against.
#
#   pip install torch numpy pillow
#   scripts/grad-cam.py MODEL.safetensors CROP.png PERSON LAYER     # the map of a model that lookalike wrote, as JSON
#   scripts/grad-cam.py --golden [VGG16_NOTOP.safetensors PHOTO.png]  # writes kernels-tests/golden/grad_cam.json, grad_cam_*.png
#
# The crop is what the network is shown; PERSON is a label or its number. Selvaraju et al., ICCV 2017, equations 1 and 2:
#
#   weight[k]  = mean over positions of d score / d activation[k]        score: the person's output before the softmax
#   heat[i, j] = max(0, sum over k of weight[k] * activation[k, i, j])
#
# The network is built from the Keras config in the model file, layer by layer, in float64. The golden models have the
# weights that ship (face, sface) or are given (VGG16), the others are drawn: stream s of Philox (golden/philox.py), seed 7,
# weight = (2u - 1) * limit as in golden/scratch_cnn.py; biases are zero. Their photo is the demo's s01/01.png, its largest
# centred square resized to what the network takes; VGG16's is the one that is given.
import json
import struct
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "kernels-tests/golden"
SEED = 7


def read(path):
    """Arrays by name, and the metadata, of a safetensors file."""
    data = Path(path).read_bytes()
    length = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8 : 8 + length])
    metadata = json.loads(header.pop("__metadata__", {}).get("lookalike", "null"))
    types = {"F32": np.float32, "F16": np.float16}
    arrays = {}
    for name, info in header.items():
        start, end = (8 + length + at for at in info["data_offsets"])
        arrays[name] = np.frombuffer(data[start:end], types[info["dtype"]]).reshape(info["shape"]).astype(np.float64)
    return arrays, metadata


class Network:
    """Layers of a Keras config on x [1, channels, height, width]."""

    def __init__(self, layers, arrays):
        self.layers = [(layer["class_name"], layer["config"]) for layer in layers]
        self.arrays = {name: torch.from_numpy(array) for name, array in arrays.items()}

    def conv(self, name, x, stride, same):
        kernel = self.arrays[f"{name}/kernel"].permute(3, 2, 0, 1)  # HWIO -> OIHW
        bias = self.arrays.get(f"{name}/bias")
        return F.conv2d(x, kernel, bias, stride, [size // 2 for size in kernel.shape[2:]] if same else 0)

    def block(self, name, config, x):
        """dlib's residual block: where both sides differ, the smaller is extended with zeros."""
        halve = config["halve"]
        y = F.relu(self.conv(f"{name}_a", x, 2 if halve else 1, not halve))
        y = self.conv(f"{name}_b", y, 1, True)
        shortcut = F.avg_pool2d(x, 2) if halve else x
        sizes = [max(a, b) for a, b in zip(y.shape, shortcut.shape)]
        y, shortcut = (F.pad(z, [n for z_, s in zip(z.shape[:0:-1], sizes[:0:-1]) for n in (0, s - z_)]) for z in (y, shortcut))
        return F.relu(y + shortcut)

    def separable(self, name, config, x):
        """A depthwise convolution, padded whatever its stride is, and one of single pixels, each with slopes."""
        kernel = self.arrays[f"{name}_depthwise/kernel"].permute(2, 3, 0, 1)  # HW channels 1 -> channels 1 HW
        bias = self.arrays[f"{name}_depthwise/bias"]
        y = F.conv2d(x, kernel, bias, config["strides"], 1, groups=x.shape[1])
        y = F.prelu(y, self.arrays[f"{name}_depthwise/alpha"])
        y = self.conv(f"{name}_pointwise", y, 1, True)
        return F.prelu(y, self.arrays[f"{name}_pointwise/alpha"])

    def layer(self, kind, config, x):
        name = config["name"]
        if kind == "Conv2D":
            assert config["dilation_rate"] == [1, 1] and (config["strides"] == [1, 1] or config["padding"] == "valid")
            return activate(config["activation"], self.conv(name, x, config["strides"], config["padding"] == "same"))
        if kind == "ResidualBlock":
            return self.block(name, config, x)
        if kind == "SeparableBlock":
            return self.separable(name, config, x)
        if kind == "PReLU":
            return F.prelu(x, self.arrays[f"{name}/alpha"])
        if kind == "UnitNormalization":
            return F.normalize(x)
        if kind == "MaxPooling2D":
            assert config["padding"] == "valid"
            return F.max_pool2d(x, config["pool_size"], config["strides"])
        if kind == "GlobalAveragePooling2D":
            return x.mean((2, 3))
        if kind == "Flatten":
            return x.permute(0, 2, 3, 1).flatten(1)  # NHWC order
        if kind == "BatchNormalization":
            value = lambda part: self.arrays[f"{name}/{part}"].reshape([-1] + [1] * (x.ndim - 2))
            root = torch.sqrt(value("moving_variance") + config["epsilon"])
            return (x - value("moving_mean")) / root * value("gamma") + value("beta")
        if kind == "Dense":
            y = x @ self.arrays[f"{name}/kernel"]
            return activate(config["activation"], y + self.arrays.get(f"{name}/bias", 0))
        if kind == "Activation":
            return activate(config["activation"], x)
        assert kind in ("Dropout", "InputLayer"), kind
        return x

    def grad_cam(self, x, person, layer):
        activations = None
        for kind, config in self.layers:
            # Behind the layer the length of features counts as given.
            if kind != "UnitNormalization" or activations is None:
                x = self.layer(kind, config, x)
            if config["name"] == layer:
                x = activations = x.detach().requires_grad_()
        x[0, person].backward()
        weights = activations.grad.mean((2, 3), keepdim=True)
        return F.relu((weights * activations).sum(1))[0].detach().numpy()


def activate(name, x):
    """Softmax stands at the end only, and is left out."""
    return {"linear": x, "softmax": x, "relu": F.relu(x), "sigmoid": torch.sigmoid(x), "tanh": torch.tanh(x)}[name]


def pixels(path, normalize):
    x = np.asarray(Image.open(path).convert("RGB")).astype(np.float64)
    scale, offset = (np.array(normalize[part][:3]) for part in ("scale", "offset"))
    x = (x[:, :, ::-1] if normalize["reverse"] else x) * scale + offset
    return torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[None]


def of_file(model, crop, person, layer):
    arrays, metadata = read(model)
    labels = metadata["labels"]
    person = labels.index(person) if person in labels else int(person)
    network = Network(metadata["keras"]["config"]["layers"], arrays)
    heat = network.grad_cam(pixels(crop, metadata["preprocessing"]), person, layer)
    print(json.dumps({"person": labels[person], "layer": layer, "map": heat.tolist()}))


def conv(name, activation="relu"):
    config = {"name": name, "strides": [1, 1], "dilation_rate": [1, 1], "padding": "same", "activation": activation}
    return {"class_name": "Conv2D", "config": config}


def layer(kind, name, **config):
    return {"class_name": kind, "config": {"name": name, **config}}


def pool(name):
    return layer("MaxPooling2D", name, padding="valid", pool_size=[2, 2], strides=[2, 2])


def drawn(stream, shape):
    sys.path.append(str(GOLDEN))
    from philox import uniform

    limit = np.sqrt(6.0 / (int(np.prod(shape[:-2])) * (shape[-2] + shape[-1])))
    weights = (2.0 * uniform(SEED, stream, int(np.prod(shape))) - 1.0) * limit
    return weights.astype(np.float32).astype(np.float64).reshape(shape)


FACE = {"scale": [1 / 256] * 3, "offset": [-122.782 / 256, -117.001 / 256, -104.298 / 256], "reverse": False}
SFACE = {"scale": [1 / 128] * 3, "offset": [-127.5 / 128] * 3, "reverse": False}
UNIT = {"scale": [1 / 255] * 3, "offset": [0.0] * 3, "reverse": False}
DEVIATION = [0.229, 0.224, 0.225]
TORCH = {
    "scale": [1 / (255 * deviation) for deviation in DEVIATION],
    "offset": [-mean / deviation for mean, deviation in zip([0.485, 0.456, 0.406], DEVIATION)],
    "reverse": False,
}


def face():
    arrays, _ = read(ROOT / "assets/face/face.safetensors")
    halved = (4, 8, 11, 14)
    layers = [layer("Conv2D", "conv1", strides=[2, 2], dilation_rate=[1, 1], padding="valid", activation="relu")]
    layers.append(layer("MaxPooling2D", "pool1", padding="valid", pool_size=[3, 3], strides=[2, 2]))
    layers += [layer("ResidualBlock", f"block{n}", halve=n in halved) for n in range(1, 15)]
    layers.append(layer("GlobalAveragePooling2D", "pool2"))
    layers += [layer("Dense", name, activation="linear") for name in ("embedding", "people")]
    arrays["people/kernel"] = drawn(0, (128, 5))
    return Network(layers, arrays)


def sface():
    arrays, _ = read(ROOT / "assets/sface/sface.safetensors")
    halved = (2, 4, 6, 12)
    layers = [conv("conv1", "linear"), layer("PReLU", "conv1_slopes")]
    layers += [layer("SeparableBlock", f"block{n}", strides=[2, 2] if n in halved else [1, 1]) for n in range(1, 14)]
    layers += [layer("Flatten", "flatten"), layer("Dense", "embedding", activation="linear")]
    layers += [layer("UnitNormalization", "unit"), layer("Dense", "people", activation="linear")]
    arrays["people/kernel"] = drawn(0, (128, 5))
    return Network(layers, arrays)


def scratch():
    shapes = {"conv1": (3, 3, 3, 4), "conv2": (3, 3, 4, 8), "conv3": (3, 3, 8, 16)}
    shapes |= {"dense1": (18 * 18 * 16, 12), "dense2": (12, 5)}
    arrays = {f"{name}/kernel": drawn(stream, shape) for stream, (name, shape) in enumerate(shapes.items())}
    layers = [part for n in (1, 2, 3) for part in (conv(f"conv{n}"), pool(f"pool{n}"))]
    layers += [layer("Flatten", "flatten"), layer("Dense", "dense1", activation="relu")]
    return Network(layers + [layer("Dense", "dense2", activation="linear")], arrays)


def vgg16(path):
    arrays, _ = read(path)
    layers = []
    for block, count in enumerate([2, 2, 3, 3, 3], 1):
        layers += [conv(f"block{block}_conv{n}") for n in range(1, count + 1)] + [pool(f"block{block}_pool")]
    arrays["dense1/kernel"], arrays["dense2/kernel"] = drawn(0, (7 * 7 * 512, 12)), drawn(1, (12, 5))
    layers += [layer("Flatten", "flatten"), layer("Dense", "dense1", activation="relu")]
    return Network(layers + [layer("Dense", "dense2", activation="linear")], arrays)


def golden(vgg16_weights=None, photo=None):
    demo = Image.open(ROOT / "assets/demo/s01/01.png").convert("L")
    side = min(demo.size)
    left, top = ((size - side) // 2 for size in demo.size)
    demo = demo.crop((left, top, left + side, top + side))
    crops = {size: GOLDEN / f"grad_cam_{size}.png" for size in (112, 150)}
    for size, path in crops.items():
        demo.resize((size, size), Image.Resampling.BICUBIC).save(path, optimize=True)

    path = GOLDEN / "grad_cam.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    cases = [("face", face(), crops[150], FACE, "block10"), ("sface", sface(), crops[112], SFACE, "block13")]
    cases.append(("scratch", scratch(), crops[150], UNIT, "conv3"))
    if vgg16_weights:
        cases.append(("vgg16", vgg16(vgg16_weights), photo, TORCH, "block5_conv3"))
    for name, network, picture, normalize, at in cases:
        maps = [network.grad_cam(pixels(picture, normalize), person, at) for person in range(5)]
        # The person whose map has the least zeros says most.
        person = int(np.argmax([np.count_nonzero(heat) for heat in maps]))
        heat = [[float(f"{value:.7g}") for value in row] for row in maps[person].tolist()]
        found[name] = {"layer": at, "person": person, "map": heat}
        print(f"{name}: person {person}, {at}, peak {maps[person].max():.4g}, {np.count_nonzero(maps[person])} positions")
    lines = [f" {json.dumps(name)}: {json.dumps(case)}" for name, case in sorted(found.items())]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--golden", *files]:
            golden(*files)
        case [model, crop, person, layer_name]:
            of_file(model, crop, person, layer_name)
        case _:
            sys.exit("usage: grad-cam.py MODEL.safetensors CROP.png PERSON LAYER | --golden [VGG16.safetensors PHOTO.png]")
