"""ResNet-20: a residual network made for small pictures, which learns from nothing; it has no pretrained weights.

He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition" (arXiv 1512.03385), section 4.2, made it for
the 50,000 pictures of CIFAR-10: 20 layers with weights and 0.27 million parameters. Shortcuts are identities; where a
stage strides they are striding convolutions of one pixel (the paper's option B), which BatchNormalization follows.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlcore.models.backend import keras

WIDTHS = (16, 32, 64)
BLOCKS = 3


def build_small_residual(name: str, image_size: int) -> "keras.Model":
    """Build the network without top or pooling, with random weights (He et al. 2015, arXiv 1502.01852).

    Input: float32 `(n, image_size, image_size, 3)`, normalised; output: `(n, height, width, 64)` at a quarter of the
    size. Layers are called "stem_...", "stage2_block0_..." and so on.
    """
    from tlcore.models.backend import keras

    layers = keras.layers

    def convolve(inputs: "keras.KerasTensor", part: str, filters: int, kernel: int, stride: int) -> "keras.KerasTensor":
        # BatchNormalization that follows makes a bias pointless.
        convolution = layers.Conv2D(
            filters,
            kernel,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{part}_conv",
        )
        return layers.BatchNormalization(name=f"{part}_bn")(convolution(inputs))

    inputs = keras.Input((image_size, image_size, 3), name="backbone_input")
    features = layers.ReLU(name="stem_relu")(convolve(inputs, "stem", WIDTHS[0], 3, 1))
    for stage, filters in enumerate(WIDTHS):
        for block in range(BLOCKS):
            part = f"stage{stage}_block{block}"
            stride = 2 if stage and not block else 1
            inner = layers.ReLU(name=f"{part}_relu1")(convolve(features, f"{part}_first", filters, 3, stride))
            inner = convolve(inner, f"{part}_second", filters, 3, 1)
            if stride > 1:
                features = convolve(features, f"{part}_shortcut", filters, 1, stride)
            features = layers.ReLU(name=f"{part}_relu2")(layers.Add(name=f"{part}_add")([inner, features]))
    return keras.Model(inputs, features, name=name)
