"""The command `export`: how the formats may be written."""

from thaw.cli.exports import read_formats


def test_formats_may_be_joined_by_commas_and_written_as_the_folder_is_called():
    assert read_formats(["keras,saved_model, litert", "onnx"]) == ["keras", "saved-model", "litert", "onnx"]
    assert read_formats([]) == read_formats([","]) == []
