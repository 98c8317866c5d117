"""Weight files of a small network as Keras 3 writes them, and some of its layouts that h5py writes better.

    pip install keras==3.15.1 jax h5py safetensors && KERAS_BACKEND=jax python keras3.py

The network has VGG16's structure in small: blocks of named 3x3 convolutions with ReLU, each with max-pooling behind it.
Parameter k of the network holds 0.5 * k + i / 512 at index i, so that every reader knows what it has to find. Halves
hold these exactly too.
"""

import keras
import numpy as np
import h5py
from keras import layers
from safetensors.numpy import save_file

SHAPES = {
    "block1_conv1": [(3, 3, 3, 4), (4,)],
    "block1_conv2": [(3, 3, 4, 4), (4,)],
    "block2_conv1": [(3, 3, 4, 6), (6,)],
}


def values():
    arrays = {}
    for layer, shapes in SHAPES.items():
        for variable, shape in zip(["kernel", "bias"], shapes):
            count = np.prod(shape)
            array = 0.5 * len(arrays) + np.arange(count, dtype=np.float32) / 512
            arrays[f"{layer}/{variable}"] = array.reshape(shape).astype(np.float32)
    return arrays


def base(name):
    x = first = keras.Input((16, 16, 3))
    for layer, ((_, _, _, channels), _) in SHAPES.items():
        if layer == "block2_conv1":
            x = layers.MaxPooling2D(2, name="block1_pool")(x)
        x = layers.Conv2D(channels, 3, padding="same", activation="relu", name=layer)(x)
    x = layers.MaxPooling2D(2, name="block2_pool")(x)
    model = keras.Model(first, x, name=name)
    model.set_weights(list(values().values()))
    return model


def whole():
    """As the tutorial has it: a Sequential with the base inside, a head behind it, and an optimizer that has moments."""
    model = keras.Sequential(
        [base("small_vgg"), layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax")]
    )
    model.layers[0].trainable = False
    model.compile("adam", "categorical_crossentropy")
    model.fit(np.zeros((2, 16, 16, 3)), np.eye(2), verbose=0)
    return model


model = base("small_vgg")
model.save_weights("keras3.weights.h5")
whole().save("keras3_whole.keras")
whole().save("keras3_whole.h5")

# Chunked, compressed, names as text of variable length; halves; doubles of the other byte order.
with h5py.File("h5py_gzip.h5", "w") as file:
    text = h5py.string_dtype()
    file.attrs.create("layer_names", list(SHAPES), dtype=text)
    for layer in SHAPES:
        group = file.create_group(layer)
        group.attrs.create("weight_names", [f"{layer}/kernel:0", f"{layer}/bias:0"], dtype=text)
        for variable in ["kernel", "bias"]:
            array = values()[f"{layer}/{variable}"]
            chunks = array.shape[:-1] + (array.shape[-1] // 2,)
            group.create_dataset(
                f"{layer}/{variable}:0", data=array, chunks=chunks, compression="gzip", shuffle=True, fletcher32=True
            )

# The names that Keras 1 gave, which the public VGG16 still has; in halves and in big-endian doubles.
for name, dtype in [("keras1_half.h5", "<f2"), ("keras1_big_double.h5", ">f8")]:
    with h5py.File(name, "w") as file:
        file.attrs["layer_names"] = [b"input_1"] + [layer.encode() for layer in SHAPES]
        file.create_group("input_1").attrs["weight_names"] = []
        for layer in SHAPES:
            group = file.create_group(layer)
            names = [f"{layer}_W_1:0", f"{layer}_b_1:0"]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, variable in zip(names, ["kernel", "bias"]):
                group[name] = values()[f"{layer}/{variable}"].astype(dtype)

save_file(values(), "keras_names.safetensors")
TORCH = dict(zip(SHAPES, [0, 2, 5]))
torch = {}
for name, array in values().items():
    layer, variable = name.split("/")
    if variable == "kernel":
        array = np.ascontiguousarray(array.transpose(3, 2, 0, 1))
    torch[f"features.{TORCH[layer]}.{'weight' if variable == 'kernel' else 'bias'}"] = array
torch["classifier.0.weight"] = np.zeros((2, 2), np.float32)
save_file(torch, "torchvision.safetensors")
np.savez_compressed("named.npz", **values())

# What is read, and what has to be refused, dataset by dataset.
import ml_dtypes

numbers = np.arange(12, dtype=np.float32).reshape(3, 4) / 4
with h5py.File("h5py_types.h5", "w") as file:
    for name, dtype in [("half", ">f2"), ("single", ">f4"), ("double", "<f8"), ("integer", "<i4"), ("long_double", "<f16")]:
        file[name] = numbers.astype(dtype)
    file["brain"] = numbers.astype(ml_dtypes.bfloat16)
    file["brain"].attrs["dtype"] = "bfloat16"
    file["opaque"] = numbers.astype(ml_dtypes.bfloat16)
    file.create_dataset("growing", data=numbers, maxshape=(None, 4), chunks=(2, 3), compression="gzip")
    file.create_dataset("lzf", data=numbers, chunks=(3, 4), compression="lzf")
    file.create_dataset("never_written", (3, 4), "f4")
    file.create_dataset("never_chunked", (3, 4), "f4", chunks=(1, 4))
    file.create_dataset("half_written", (3, 4), "f4", chunks=(1, 4))[:2] = 1
    file.create_dataset("huge", (1 << 40,), "f4", chunks=(1 << 20,))
    file.create_dataset("huge_chunk", (3, 4), "f4", chunks=(1 << 14, 1 << 14), maxshape=(None, None))
    file.create_group("group").attrs["one"] = "text"
    file["group"].attrs["fixed"] = np.array([b"a", b"bcd"])
    file["group"].attrs.create("variable", ["a", "b\u00e9"], dtype=h5py.string_dtype())
    file["group"].attrs["number"] = 7

# Groups inside each other without end.
with h5py.File("h5py_cycle.h5", "w") as file:
    for name in "abc":
        file[name] = file["/"]
