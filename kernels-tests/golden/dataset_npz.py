"""Checks with NumPy that a dataset written by `lookalike crop` is what it promises: plain arrays, no pickles.

    python3 dataset_npz.py faces.npz
"""

import sys

import numpy as np

with np.load(sys.argv[1], allow_pickle=False) as file:
    x, y, labels, names, group, source = (file[key] for key in ("x", "y", "labels", "names", "group", "source"))
    assert set(file.files) == {"x", "y", "labels", "names", "group", "source", "cut"}, file.files

count, people = len(x), len(names)
for name, array, shape, kind in [
    ("x", x, (count, x.shape[1], x.shape[1], 3), "uint8"),
    ("y", y, (count, people), "float32"),
    ("labels", labels, (count,), "int64"),
    ("group", group, (count,), "int64"),
]:
    assert array.shape == shape and array.dtype == kind, (name, array.shape, array.dtype)
for name, array, length in [("names", names, people), ("source", source, count)]:
    assert array.shape == (length,) and array.dtype.kind == "U", (name, array.shape, array.dtype)
assert people >= 2 and set(labels) <= set(range(people)), (people, set(labels))
assert np.array_equal(y, np.eye(people, dtype=np.float32)[labels]), "y is not the one-hot form of labels"

print(f"{count} faces of {people} people, {x.shape[1]} x {x.shape[1]} pixels, {len(set(group))} groups")
for label, name in enumerate(names):
    print(f"  {name}: {np.sum(labels == label)}")
