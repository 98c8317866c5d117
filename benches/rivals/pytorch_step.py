# PyTorch's training step of the scratch CNN, for a driver that lets rivals take turns.
#
#   pip install torch
#   python pytorch_step.py BATCH
#
# For each line that arrives on standard input it runs one step and answers with the seconds it took and the loss.
import os
import sys
import time

import torch
from torch import nn

CLASSES = 10

torch.set_num_threads(len(os.sched_getaffinity(0)))
batch = int(sys.argv[1])
model = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(28 * 28 * 64, 128), nn.ReLU(), nn.Linear(128, CLASSES),
)  # fmt: skip
adam = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
cross_entropy = nn.CrossEntropyLoss()
x, labels = torch.rand(batch, 3, 224, 224), torch.arange(batch) % CLASSES

for _ in sys.stdin:
    start = time.perf_counter()
    loss = cross_entropy(model(x), labels)
    adam.zero_grad()
    loss.backward()
    adam.step()
    value = loss.item()
    print(f"{time.perf_counter() - start:.6f} {value:.6f}", flush=True)
