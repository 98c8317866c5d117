# Augmentation of a batch of 32 pictures of 224 x 224 by Keras's layers or torchvision's transforms, on the CPU, for a driver
# that lets rivals take turns.
#
#   pip install tensorflow-cpu torch torchvision
#   python augment_step.py keras|torchvision|torchvision-each
#
# The changes are ours by default: flip, zoom 0.1, rotation 0.03 turns, shift 0.1, brightness 0.1, saturation 0.2, bilinear,
# then normalisation as for ImageNet. `keras` is compiled into one function. `torchvision` draws once for the whole batch, as its
# transforms do when given one; `torchvision-each` draws for each picture, as a data loader has it. For each line that arrives
# on standard input it runs one step and answers with the seconds it took and the mean of the floats.
import os
import sys
import time

import numpy as np

pixels = np.random.default_rng(1).integers(0, 256, (32, 224, 224, 3), np.uint8)
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

if sys.argv[1] == "keras":
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf
    from keras import layers

    pipeline = [
        layers.RandomFlip("horizontal", seed=1),
        layers.RandomZoom(0.1, fill_mode="nearest", seed=2),
        layers.RandomRotation(0.03, fill_mode="nearest", seed=3),
        layers.RandomTranslation(0.1, 0.1, fill_mode="nearest", seed=4),
        layers.RandomBrightness(0.1, seed=5),
        layers.RandomSaturation((0.4, 0.6), seed=6),
        layers.Normalization(mean=[255 * m for m in MEAN], variance=[(255 * d) ** 2 for d in DEVIATION]),
    ]
    batch = tf.constant(pixels)

    @tf.function
    def whole(x):
        x = tf.cast(x, tf.float32)
        for layer in pipeline[:-1]:
            x = layer(x, training=True)
        return pipeline[-1](x)

    def step():
        return whole(batch).numpy()

else:
    import torch
    from torchvision.transforms import InterpolationMode, v2

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(1)
    transforms = v2.Compose([
        v2.RandomHorizontalFlip(),
        v2.RandomAffine(10.8, (0.1, 0.1), (0.9, 1.1), interpolation=InterpolationMode.BILINEAR),
        v2.ColorJitter(brightness=0.1, saturation=0.2),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, DEVIATION),
    ])
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()

    def step():
        if sys.argv[1] == "torchvision":
            return transforms(batch).numpy()
        return torch.stack([transforms(picture) for picture in batch]).numpy()


for _ in sys.stdin:
    start = time.perf_counter()
    answer = step()
    seconds = time.perf_counter() - start
    print(f"{seconds:.6f} {answer.mean(dtype=np.float64):.9f}", flush=True)
