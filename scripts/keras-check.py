"""Whether Keras and onnxruntime open what `lookalike convert` writes and predict the same, and the way back.

Called by scripts/keras-check with the program, the example `keras_check` and a folder to work in.
"""

import json
import os
import subprocess
import sys
import zipfile

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import h5py
import keras
import numpy as np
import onnxruntime
from keras import layers

PROGRAM, EXAMPLE, FOLDER = sys.argv[1:]
TOLERANCE = 1e-5
NAMES = {"vgg-like": "caffe", "odd": "torch", "wide": "unit"}
LABELS = "a,b,c,d,e"


def path(name):
    return os.path.join(FOLDER, name)


def convert(source, target, *options):
    subprocess.run([PROGRAM, "convert", path(source), path(target), *options], check=True, stdout=subprocess.DEVNULL)


def refused(source, target, *options):
    """The error of a conversion that must fail."""
    run = subprocess.run([PROGRAM, "convert", path(source), path(target), *options], capture_output=True, text=True)
    if run.returncode != 1 or os.path.exists(path(target)):
        sys.exit(f"{source} should have been refused: {run.stdout}{run.stderr}")
    return run.stderr


def pictures(name):
    return np.load(path(f"{name}-pictures.npz"))["x"]


def ours(model, name):
    """Our probabilities for the pictures called `name`."""
    subprocess.run([EXAMPLE, "predict", path(model), path(f"{name}-pictures.npz"), path("answers.npz")], check=True)
    return np.load(path("answers.npz"))["y"]


def pixels(x, how):
    """Pictures as the preprocessing in a file makes them."""
    x = x.astype(np.float32)
    if how["reverse"]:
        x = x[..., ::-1]
    return x * np.float32(how["scale"][:3]) + np.float32(how["offset"][:3])


def named(normalization):
    """The preprocessings that have names, by Keras's own definition where it has one."""
    if normalization == "unit":
        return lambda x: x.astype(np.float32) / 255
    return lambda x: keras.applications.imagenet_utils.preprocess_input(x.astype(np.float32), mode=normalization)


def compare(what, found, expected):
    difference = np.abs(found - expected).max()
    print(f"{what:58} differs by {difference:.1e}")
    if not difference < TOLERANCE or found.shape != expected.shape:
        sys.exit(f"{what}: expected less than {TOLERANCE}")


def telling(y):
    """Equal answers prove little where every picture has the same, or a certain one."""
    if y.std(axis=0).max() < 0.003 or y.max(axis=1).mean() > 0.98:
        sys.exit(f"the pictures do not tell models apart: {y}")
    return y


def bytes_of(name):
    with open(path(name), "rb") as file:
        return file.read()


def check_ours(name, normalization):
    source = f"{name}.safetensors"
    expected = telling(ours(source, name))
    for ending in ["h5", "keras", "npz"]:
        convert(source, f"{name}.{ending}")
        convert(f"{name}.{ending}", f"{name}-{ending}.safetensors")
        if bytes_of(f"{name}-{ending}.safetensors") != bytes_of(source):
            sys.exit(f"{name}.{ending}: does not come back as it was")
        convert(source, f"again.{ending}")
        if bytes_of(f"again.{ending}") != bytes_of(f"{name}.{ending}"):
            sys.exit(f"{name}.{ending}: equal models give different files")

    arrays = np.load(path(f"{name}.npz"))
    metadata = json.loads(str(arrays["lookalike"]))
    with zipfile.ZipFile(path(f"{name}.keras")) as archive:
        how = json.loads(archive.read("lookalike.json"))["preprocessing"]
    assert how == metadata["preprocessing"] and len(metadata["labels"]) == expected.shape[1]
    x = pixels(pictures(name), how)
    for ending in ["h5", "keras"]:
        model = keras.models.load_model(path(f"{name}.{ending}"))
        compare(f"{name}.{ending} in Keras", model.predict(x, verbose=0), expected)
        for saved in ["h5", "keras"]:
            file = f"{name}-{ending}-from-keras.{saved}"
            model.save(path(file))
            if name == "wide":  # the file does not say any more what is cut out for it, which is square
                assert "square" in refused(file, "x.npz", "--labels", LABELS, "--preprocessing", "unit")
                continue
            convert(file, "back.safetensors", "--labels", LABELS, "--preprocessing", normalization)
            compare(f"{file}, back", ours("back.safetensors", name), expected)

    convert(source, f"{name}.onnx")
    session = onnxruntime.InferenceSession(path(f"{name}.onnx"), providers=["CPUExecutionProvider"])
    x = pictures(name).astype(np.float32)
    compare(f"{name}.onnx in onnxruntime", session.run(["probabilities"], {"x": x})[0], expected)
    compare(f"{name}.onnx, one picture", session.run(None, {"x": x[:1]})[0], expected[:1])
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["labels"]) == metadata["labels"] and json.loads(properties["preprocessing"]) == how


def as_trained(model, x):
    """Weights as training leaves them: larger than at first, no bias or statistic is 0 or 1, no answer is certain."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        larger = weight + random.uniform(0, 0.2, weight.shape) if len(weight.shape) == 1 else 1.4 * weight
        weight.assign(larger)
    spread = np.log(np.maximum(model.predict(x, verbose=0), 1e-30)).std()
    for weight in [layer for layer in model.layers if isinstance(layer, layers.Dense)][-1].weights:
        weight.assign(weight / spread)


def tutorial(size):
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(size, size, 3))
    base.trainable = False
    head = [layers.Flatten(), layers.Dense(64, "relu"), layers.Dropout(0.5), layers.BatchNormalization()]
    return keras.Sequential([base, *head, layers.Dense(5, "softmax")], name="tutorial")


def nested(size):
    """A functional model around sequential ones that name their layers alike, one of them frozen, with batch statistics."""

    def block(name, filters):
        kinds = [layers.Conv2D(filters, 3, name="conv"), layers.BatchNormalization(name="norm"), layers.ReLU()]
        return keras.Sequential([*kinds, layers.PReLU(shared_axes=[1, 2], name="slopes")], name=name)

    inputs = keras.Input((size, size, 3))
    first = block("first", 4)
    first.trainable = False
    wide = keras.initializers.RandomNormal(stddev=0.5)
    depthwise = layers.DepthwiseConv2D(3, padding="same", depthwise_initializer=wide)
    x = block("second", 6)(depthwise(layers.MaxPooling2D()(first(inputs))))
    x = layers.GlobalAveragePooling2D()(layers.LeakyReLU(negative_slope=0.1)(x))
    x = layers.PReLU()(layers.Dense(7, name="norm")(x))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(5)(x)), name="nested")


def check_foreign(name, model, normalization, crops):
    x = named(normalization)(pictures(crops))
    as_trained(model, x)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    expected = telling(model.predict(x, verbose=0))
    for ending in ["h5", "keras"]:
        model.save(path(f"{name}.{ending}"))
        complaint = refused(f"{name}.{ending}", "x.safetensors")
        assert "--labels" in complaint and "--preprocessing" in complaint, complaint
        target = f"{name}-{ending}.safetensors"
        convert(f"{name}.{ending}", target, "--labels", LABELS, "--preprocessing", normalization)
        compare(f"{name}.{ending} by Keras", ours(target, crops), expected)
        convert(target, f"{name}-flat.keras")
        again = keras.models.load_model(path(f"{name}-flat.keras"))
        compare(f"{name}.{ending} by Keras, by us, in Keras", again.predict(x, verbose=0), expected)
    return expected


def keras_2_style(source, target):
    """Rewrites a file as Keras 2 wrote it: names of fixed length, each variable numbered."""

    def fixed(names):
        return np.array([name.encode() for name in names], dtype="S") if len(names) else np.zeros(0)

    with h5py.File(path(source)) as old, h5py.File(path(target), "w") as new:
        config = json.loads(old.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "InputLayer":
                layer["config"]["batch_input_shape"] = layer["config"].pop("batch_shape")
        new.attrs["model_config"] = np.bytes_(json.dumps(config))
        new.attrs["keras_version"] = np.bytes_("2.15.0")
        for name in old["model_weights"].attrs["layer_names"]:
            group = new.create_group(f"model_weights/{name}")
            weights = old[f"model_weights/{name}"]
            group.attrs["weight_names"] = fixed([f"{w}:0" for w in weights.attrs["weight_names"]])
            for weight in weights.attrs["weight_names"]:
                group.create_dataset(f"{weight}:0", data=weights[weight][()])


def check_branching():
    inputs = keras.Input((37, 37, 3))
    x = layers.Conv2D(3, 3, padding="same")(inputs)
    x = layers.Flatten()(layers.Add(name="shortcut")([x, inputs]))
    keras.Model(inputs, layers.Dense(5, "softmax")(x)).save(path("branching.keras"))
    complaint = refused("branching.keras", "x.safetensors", "--labels", LABELS, "--preprocessing", "unit")
    assert "shortcut" in complaint or "input_layer" in complaint, complaint


keras.utils.set_random_seed(1)
print(f"Keras {keras.__version__}, onnxruntime {onnxruntime.__version__}")
subprocess.run([EXAMPLE, "make", FOLDER], check=True)
for name, normalization in NAMES.items():
    check_ours(name, normalization)
check_foreign("tutorial", tutorial(48), "caffe", "vgg-like")
expected = check_foreign("nested", nested(37), "torch", "odd")
keras_2_style("nested.h5", "nested-2.h5")
convert("nested-2.h5", "nested-2.safetensors", "--labels", LABELS, "--preprocessing", "torch")
compare("nested.h5 in the style of Keras 2", ours("nested-2.safetensors", "odd"), expected)
check_branching()
