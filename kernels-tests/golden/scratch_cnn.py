# The losses of the scratch CNN over its first 20 Adam steps in PyTorch: writes scratch_cnn.json.
#
#   pip install torch numpy
#   python scratch_cnn.py
#
# Network   x [batch, 224, 224, 3] -> 3 x (conv2d 3x3 "same", ReLU, max_pool2d 2x2), widths 16, 32, 64
#           -> flatten in NHWC order, 28*28*64 = 50176 -> dense 128, ReLU -> dense 10 -> softmax cross entropy, mean
# Training  torch.optim.Adam(parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-7); no dropout; a new batch each step
#
# Nothing large is stored: both sides draw the same words from Philox4x32-10 (philox.py), seed 7.
#   weights   stream 0..4 = conv1, conv2, conv3 (HWIO), dense1, dense2 ([in, out]); word j belongs to element j.
#             weight = (2u - 1) * limit, u = (word >> 8) * 2^-24, limit = sqrt(6 / (fan_in + fan_out)) (Glorot; the
#             fans of a convolution count its window), computed in f64, rounded once to f32. Biases are zero.
#   labels    stream 200 + step, step from 0: label of picture n = word n % 10
#   pictures  black but for a band of noise, rows 23 * label to 23 * label + 22; every fourth one (n % 4 == 3) is
#             wholly black. Stream 100 + step, word j belongs to element j of [batch, 224, 224, 3]; inside the band
#             byte = 64 + (word & 63), x = byte / 255
# The first pictures of a large batch are those of a small one.
#
# The pictures are chosen so that losses can be compared at all. On noise over the whole picture the training is
# chaotic: f32 and f64 differ by 2e-2 after 20 steps. The bands can be learned, and the black pictures, which cannot,
# keep the loss from vanishing; f32 and f64 then differ by less than 1e-6, which the program prints and demands.
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from philox import uniform, words

SEED, STEPS, SIDE, CLASSES = 7, 20, 224, 10
SHAPES = [(3, 3, 3, 16), (3, 3, 16, 32), (3, 3, 32, 64), (28 * 28 * 64, 128), (128, CLASSES)]


def weight(stream, shape):
    window = int(np.prod(shape[:-2]))
    limit = np.sqrt(6.0 / (window * (shape[-2] + shape[-1])))
    u = uniform(SEED, stream, int(np.prod(shape)))
    return ((2.0 * u - 1.0) * limit).astype(np.float32).reshape(shape)


def batch(step, size):
    labels = (words(SEED, 200 + step, size) % CLASSES).astype(np.int64)
    noise = 64 + (words(SEED, 100 + step, size * SIDE * SIDE * 3) & 63).reshape(size, SIDE, SIDE, 3)
    picture = np.arange(size)[:, None, None, None]
    row = np.arange(SIDE)[None, :, None, None]
    lit = (row // 23 == labels[:, None, None, None]) & (picture % 4 != 3)
    return np.where(lit, noise, 0).astype(np.uint8), labels


class ScratchCnn(torch.nn.Module):
    def __init__(self):
        super().__init__()
        weights = [torch.from_numpy(weight(stream, shape)) for stream, shape in enumerate(SHAPES)]
        # HWIO -> OIHW, [in, out] -> [out, in]
        weights = [w.permute(3, 2, 0, 1) if w.ndim == 4 else w.T for w in weights]
        self.weights = torch.nn.ParameterList(w.contiguous() for w in weights)
        self.biases = torch.nn.ParameterList(torch.zeros(shape[-1]) for shape in SHAPES)

    def forward(self, x):
        """Logits of x [batch, 3, height, width]."""
        for w, b in zip(self.weights[:3], self.biases[:3], strict=True):
            x = F.max_pool2d(F.relu(F.conv2d(x, w, b, padding=1)), 2)
        x = x.permute(0, 2, 3, 1).flatten(1)
        x = F.relu(F.linear(x, self.weights[3], self.biases[3]))
        return F.linear(x, self.weights[4], self.biases[4])


def losses(size, dtype):
    model = ScratchCnn().to(dtype)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-7)
    found = []
    for step in range(STEPS):
        pixels, labels = batch(step, size)
        x = torch.from_numpy(pixels).to(dtype).div(255).permute(0, 3, 1, 2)
        loss = F.cross_entropy(model(x), torch.from_numpy(labels))
        adam.zero_grad()
        loss.backward()
        adam.step()
        found.append(loss.item())
    return found


def main():
    document = {}
    for size in (4, 16):
        single, double = losses(size, torch.float32), losses(size, torch.float64)
        spread = max(abs(a - b) / b for a, b in zip(single, double, strict=True))
        print(f"batch {size}: first loss {single[0]:.7f}, last {single[-1]:.7f}; f32 and f64 differ by {spread:.1e}")
        assert spread < 1e-6
        document[f"batch_{size}"] = [round(loss, 7) for loss in double]
    Path(__file__).with_name("scratch_cnn.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
