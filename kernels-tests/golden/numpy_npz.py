"""Makes numpy.npz beside this script: arrays as NumPy writes them, for the tests of src/formats/npz.rs.

    python3 numpy_npz.py        (made with NumPy 2.4.6)
"""

from pathlib import Path

import numpy as np

counted = np.arange(24).reshape(2, 3, 4)
np.savez_compressed(
    Path(__file__).with_name("numpy.npz"),
    fortran=np.asfortranarray(counted),
    int32=counted.astype(np.int32),
    big_endian=np.array([0.5, -2.0, 1e300], ">f8"),
    half=np.array([1.5, -0.0, 65504.0], np.float16),
    empty=np.zeros((0, 5), np.float32),
    scalar=np.uint32(7),
    names=np.array([["Zoë"], ["𝄞 clef"]]),
)
