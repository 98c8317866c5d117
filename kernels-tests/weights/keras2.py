"""Weight files of the small network of `keras3.py` as Keras 2 writes them.

    pip install tensorflow-cpu==2.17.* tf_keras==2.17.* && python keras2.py
"""

import numpy as np
import tf_keras as keras
from tf_keras import layers

SHAPES = {
    "block1_conv1": [(3, 3, 3, 4), (4,)],
    "block1_conv2": [(3, 3, 4, 4), (4,)],
    "block2_conv1": [(3, 3, 4, 6), (6,)],
}


def base():
    x = first = keras.Input((16, 16, 3))
    weights = []
    for layer, shapes in SHAPES.items():
        if layer == "block2_conv1":
            x = layers.MaxPooling2D(2, name="block1_pool")(x)
        x = layers.Conv2D(shapes[0][3], 3, padding="same", activation="relu", name=layer)(x)
        for shape in shapes:
            array = 0.5 * len(weights) + np.arange(np.prod(shape), dtype=np.float32) / 512
            weights.append(array.reshape(shape))
    x = layers.MaxPooling2D(2, name="block2_pool")(x)
    model = keras.Model(first, x, name="small_vgg")
    model.set_weights(weights)
    return model


def whole():
    model = keras.Sequential(
        [base(), layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax")]
    )
    model.layers[0].trainable = False
    model.compile("adam", "categorical_crossentropy")
    model.fit(np.zeros((2, 16, 16, 3)), np.eye(2), verbose=0)
    return model


base().save_weights("keras2_notop.h5")
whole().save("keras2_whole.h5")
whole().save("keras2_whole.keras")
