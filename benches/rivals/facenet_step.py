# Finding faces with facenet-pytorch, for a driver that lets rivals take turns.
#
#   pip install torch torchvision facenet-pytorch==2.5.3
#   python facenet_step.py FOLDER [DEVICE [BATCH]]
#
# 2.5.3 takes any torch; 2.6.0 insists on one below 2.3.
#
# Reads the pictures of FOLDER once. For each line that arrives on standard input it finds the faces and landmarks of
# all of them on DEVICE (cpu, the default, or cuda), and answers with the seconds it took and the number of faces. It
# takes neighbours of one size together, up to BATCH (default 1). OMP_NUM_THREADS may name fewer threads than the
# process has cores: where other programs want the cores too, PyTorch's threads wait for each other most of the time.
import os
import sys
import time
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image

folder, device, batch = (sys.argv[1:] + ["cpu", "1"][len(sys.argv) - 2 :])[:3]
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0)))))
mtcnn = MTCNN(keep_all=True, min_face_size=20, thresholds=[0.6, 0.7, 0.7], factor=0.709, device=torch.device(device))

pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(Path(folder).iterdir())]
batches = []
for _, group in groupby(pictures, lambda picture: picture.shape):
    same = list(group)
    batches += [np.stack(same[at : at + int(batch)]) for at in range(0, len(same), int(batch))]

for _ in sys.stdin:
    start = time.perf_counter()
    faces = 0
    for pixels in batches:
        boxes, _, landmarks = mtcnn.detect(pixels, landmarks=True)
        faces += sum(len(found) for found in boxes if found is not None)
    print(f"{time.perf_counter() - start:.6f} {faces}", flush=True)
