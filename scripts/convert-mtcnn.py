#!/usr/bin/env python3
# Converts the weights of MTCNN once, from NumPy's format to assets/mtcnn.safetensors, which ships with the crate.
#
#   pip install numpy safetensors
#   scripts/convert-mtcnn.py mtcnn.npz assets/mtcnn.safetensors
#
# Input     arrays `pnet|rnet|onet / convN|denseN / kernel|bias` and `.../preluN/alpha`, float32, for upright images in
#           NHWC order: convolution kernels HWIO, dense kernels [in, out], flattened in (height, width, channel) order.
#           They are those of the PyPI packages mtcnn 0.1.1 and facenet-pytorch 2.5.3, turned upright.
# Output    the same arrays, names and numbers. Equal input gives equal bytes.
import sys

import numpy
from safetensors.numpy import save_file

source, target = sys.argv[1:]
arrays = {name: numpy.ascontiguousarray(array) for name, array in sorted(numpy.load(source).items())}
assert all(array.dtype == numpy.float32 for array in arrays.values()), "32-bit floats are expected"
save_file(arrays, target)
print(f"{target}: {len(arrays)} arrays, {sum(array.size for array in arrays.values())} numbers")
