# PyTorch's training step of the scratch CNN and forward pass of VGG16, for a driver that lets rivals take turns.
#
#   pip install torch
#   python pytorch_step.py BACKEND train|forward FILE OUT
#
# Backends: cpu; cuda, in strict 32-bit floats (TF32 off); cuda-half, autocast to 16-bit floats, and losses scaled. All
# keep channels last, and cuDNN tries its algorithms. FILE and OUT are those of every rival: see common/src/lib.rs.
# For each line that arrives on standard input it runs one step and answers with the seconds it took and a number: the loss,
# or the features' mean.
import contextlib
import json
import os
import sys
import time

import torch
from torch import nn

SCRATCH = [(16, 1), (32, 1), (64, 1)]
VGG16 = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]

backend, work, file, out = sys.argv[1:]
device, half = ("cuda", backend == "cuda-half") if backend.startswith("cuda") else (backend, False)
torch.set_num_threads(len(os.sched_getaffinity(0)))
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = False
torch.backends.cuda.matmul.allow_tf32 = False

with open(file, "rb") as opened:
    header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
    data = bytearray(opened.read())


def array(name):
    start, end = header[name]["data_offsets"]
    return torch.frombuffer(data[start:end], dtype=torch.float32).reshape(header[name]["shape"]).clone()


layers, state, channels, number = [], {}, 3, 0
for width, count in SCRATCH if work == "train" else VGG16:
    for _ in range(count):
        state |= {f"{len(layers)}.{kind}": array(f"conv{number}.{kind}") for kind in ("weight", "bias")}
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
        channels, number = width, number + 1
    layers.append(nn.MaxPool2d(2))
if work == "train":
    layers.append(nn.Flatten())
    for number in range(2):
        weight = array(f"dense{number}.weight")
        state |= {f"{len(layers)}.{kind}": array(f"dense{number}.{kind}") for kind in ("weight", "bias")}
        layers.append(nn.Linear(weight.shape[1], weight.shape[0]))
        if number == 0:
            layers.append(nn.ReLU(inplace=True))
model = nn.Sequential(*layers)
model.load_state_dict(state)
model = model.to(device, memory_format=torch.channels_last)
x = array("x").to(device, memory_format=torch.channels_last)
precision = torch.autocast(device, dtype=torch.float16) if half else contextlib.nullcontext()
written = False

if work == "train":
    labels = array("labels").long().to(device)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
    scaler = torch.amp.GradScaler(device, enabled=half)
    cross_entropy = nn.CrossEntropyLoss()


def train():
    with precision:
        loss = cross_entropy(model(x), labels)
    adam.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(adam)
    scaler.update()
    value = loss.item()
    if device == "cuda":
        torch.cuda.synchronize()
    return value


def forward():
    with torch.inference_mode(), precision:
        return model(x).float().cpu()


for _ in sys.stdin:
    start = time.perf_counter()
    answer = train() if work == "train" else forward()
    seconds = time.perf_counter() - start
    if work == "forward":
        if not written:
            torch_bytes = answer.contiguous().flatten().view(torch.uint8)
            with open(out, "wb") as opened:
                opened.write(bytes(torch_bytes.tolist()))
            written = True
        answer = answer.double().mean().item()
    print(f"{seconds:.6f} {answer:.9f}", flush=True)
