"""A small network that has a layer of every kind that any family of backbones has."""

import keras
from keras.src.applications.convnext import LayerScale

SIDE = 48
CHANNELS = 8


def build_patchwork() -> keras.Model:
    """Build it, float pixels (n, 48, 48, 3) in, features (n, 3, 3, 32) out; its weights have learnt nothing.

    The pieces are as the families have them: squeeze-and-excite, inverted residuals, ConvNeXt's blocks with their
    grouped convolution and GELU, cells that join what separable convolutions and pools of every kind make, and a block
    of attention on patches.
    """
    layers = keras.layers
    pixels = keras.Input((SIDE, SIDE, 3))
    x = layers.Normalization(mean=[120.0, 120.0, 120.0], variance=[4000.0, 4000.0, 4000.0])(pixels)
    x = keras.Sequential([layers.Conv2D(CHANNELS, 3, strides=2, padding="same"), layers.LayerNormalization()])(x)

    # MobileNet
    y = layers.Conv2D(CHANNELS, 1, padding="same", use_bias=False)(x)
    y = layers.Activation("hard_silu")(layers.BatchNormalization()(y))
    y = layers.DepthwiseConv2D(3, strides=2)(layers.ZeroPadding2D(1)(y))
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    gate = layers.Conv2D(CHANNELS, 1, padding="same")(layers.GlobalAveragePooling2D(keepdims=True)(y))
    gate = layers.Rescaling(1 / 6)(layers.ReLU(6.0)(layers.Rescaling(1.0, 3.0)(gate)))
    x = layers.Multiply()([y, gate])

    # EfficientNet
    y = layers.Activation("silu")(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x)))
    gate = layers.Reshape((1, 1, CHANNELS))(layers.GlobalAveragePooling2D()(y))
    gate = layers.Conv2D(2, 1, padding="same", activation="silu")(gate)
    gate = layers.Conv2D(CHANNELS, 1, padding="same", activation="sigmoid")(gate)
    y = layers.Dropout(0.2)(layers.Conv2D(CHANNELS, 1, padding="same")(layers.Multiply()([y, gate])))
    x = layers.Add()([x, y])

    # ConvNeXt
    y = layers.LayerNormalization(epsilon=1e-6)(layers.Conv2D(CHANNELS, 7, padding="same", groups=CHANNELS)(x))
    y = layers.Dense(CHANNELS)(layers.Activation("gelu")(layers.Dense(4 * CHANNELS)(y)))
    y = layers.Activation("linear")(LayerScale(0.5, CHANNELS)(y))
    x = layers.Add()([x, y])

    # NASNet, Inception, Xception, DenseNet and VGG
    x = layers.Activation("relu")(x)
    halves = [
        layers.MaxPooling2D(2, strides=2)(x),
        layers.MaxPooling2D(3, strides=2, padding="same")(x),
        layers.AveragePooling2D(2, strides=2)(x),
        layers.DepthwiseConv2D(3, strides=2, padding="same")(x),
        layers.Conv2D(CHANNELS, 3, strides=2, padding="same")(x),
        layers.Conv2D(CHANNELS, 1, strides=2)(layers.Cropping2D(((1, 0), (1, 0)))(x)),
        layers.SeparableConv2D(CHANNELS, 3, strides=2)(layers.ZeroPadding2D(((1, 0), (1, 0)))(x)),
        layers.AveragePooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x)),
    ]
    x = layers.BatchNormalization()(layers.Concatenate()(halves))
    y = layers.SeparableConv2D(CHANNELS, 3, padding="same")(layers.AveragePooling2D(3, strides=1, padding="same")(x))
    z = layers.Conv2D(CHANNELS, 3, padding="same", activation="relu")(layers.Conv2D(CHANNELS, 1)(x))
    x = layers.Concatenate()([y, z])

    # DINOv2
    wide = 2 * CHANNELS
    y = layers.Reshape((3, 2, 3, 2 * wide))(x)
    y = layers.Reshape((9, 4 * wide))(layers.Permute((1, 3, 2, 4))(y))
    y = layers.EinsumDense("ntp,pc->ntc", (10, wide), bias_axes="tc")(layers.ZeroPadding1D((1, 0))(y))
    z = layers.LayerNormalization(epsilon=1e-6)(y)
    y = layers.Add()([y, layers.MultiHeadAttention(2, CHANNELS)(z, z)])
    y = layers.Add()([y, layers.Dense(wide)(layers.Dense(4 * wide, activation="gelu")(y))])
    token = layers.UpSampling2D(3)(layers.Reshape((1, 1, wide))(layers.Cropping1D((0, 9))(y)))
    grid = layers.Reshape((3, 3, wide))(layers.Cropping1D((1, 0))(y))
    return keras.Model(pixels, layers.Concatenate()([token, grid]), name="patchwork")
