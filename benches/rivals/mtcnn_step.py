# Finding faces with mtcnn (PyPI) on the CPU, for a driver that lets rivals take turns.
#
#   pip install mtcnn==1.0.0 tensorflow-cpu pillow
#   python mtcnn_step.py FOLDER
#
# Reads the pictures of FOLDER once. For each line that arrives on standard input it finds the faces and landmarks of
# all of them, and answers with the seconds it took and the number of faces.
import os
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from mtcnn import MTCNN
from PIL import Image

tf.config.threading.set_intra_op_parallelism_threads(len(os.sched_getaffinity(0)))
mtcnn = MTCNN(device="CPU:0")
options = {"min_face_size": 20, "scale_factor": 0.709}
options |= {"threshold_pnet": 0.6, "threshold_rnet": 0.7, "threshold_onet": 0.7}  # the last is 0.8 by default
pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(Path(sys.argv[1]).iterdir())]

for _ in sys.stdin:
    start = time.perf_counter()
    faces = sum(len(mtcnn.detect_faces(pixels, **options)) for pixels in pictures)
    print(f"{time.perf_counter() - start:.6f} {faces}", flush=True)
