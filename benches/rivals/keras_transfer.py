"""The tutorial's recipe in Keras: VGG16, frozen, with its head, trained on faces of an .npz.

    KERAS_BACKEND=tensorflow python keras_transfer.py FACES.npz WEIGHTS.h5 EPOCHS BATCH OUT.keras

Every epoch takes every picture through the whole network, as `model.fit` does. Prints one line of JSON.
"""

import json
import sys
import time

start = time.time()
import keras
import numpy as np

faces, weights, epochs, batch, out = sys.argv[1:]
loaded = time.time()

# A fifth of each person's pictures validates.
file = np.load(faces)
labels, y = file["labels"], file["y"]
validation = np.zeros(len(labels), bool)
random = np.random.default_rng(1)
for person in range(y.shape[1]):
    own = np.flatnonzero(labels == person)
    validation[random.choice(own, round(len(own) / 5), replace=False)] = True
mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
x = (file["x"].astype(np.float32) / 255 - mean) / deviation

base = keras.applications.VGG16(include_top=False, weights=None, input_shape=x.shape[1:])
base.load_weights(weights)
base.trainable = False
model = keras.Sequential([
    base,
    keras.layers.Flatten(),
    keras.layers.Dense(256, activation="relu"),
    keras.layers.Dropout(0.5),
    keras.layers.BatchNormalization(),
    keras.layers.Dense(y.shape[1], activation="softmax"),
])
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="categorical_crossentropy", metrics=["accuracy"])
seconds = []


class Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.time()

    def on_epoch_end(self, epoch, logs=None):
        seconds.append(round(time.time() - self.start, 2))


history = model.fit(
    x[~validation],
    y[~validation],
    validation_data=(x[validation], y[validation]),
    epochs=int(epochs),
    batch_size=int(batch),
    callbacks=[Clock(), keras.callbacks.ModelCheckpoint(out, monitor="val_accuracy", save_best_only=True)],
    verbose=0,
)
print(json.dumps({
    "keras": keras.__version__,
    "backend": keras.backend.backend(),
    "importing": round(loaded - start, 2),
    "epochs": seconds,
    "val_accuracy": round(max(history.history["val_accuracy"]), 4),
    "pictures": [int((~validation).sum()), int(validation.sum())],
}))
