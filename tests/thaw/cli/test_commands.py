"""The grammar of the command line: options that are the settings' own, and refusals in words."""

import dataclasses
import re

import pytest
from click.exceptions import Exit

from thaw.cli.commands import COMMANDS, app, run_command
from thaw.tuning.probe_record import ProbeSettings
from thaw.tuning.search_record import SearchSettings
from tlcore.errors import SettingsError
from tlcore.settings import FineTuneSettings, HeadSettings

PROGRAM = "python -m thaw"
EVERYWHERE = {"workspace", "as_json"}


def parse(name, *words):
    command = app.get_command(app.make_context(PROGRAM, [name]), name)
    return command.make_context(name, list(words)).params


def named(settings):
    return {field.name for field in dataclasses.fields(settings)}


def explain(*words):
    """Return what `--help` prints."""
    with pytest.raises(Exit) as ended:
        run_command([*words, "--help"], PROGRAM)
    assert ended.value.exit_code == 0


def test_every_command_is_explained(capsys):
    explain()
    shown = " ".join(capsys.readouterr().out.split())
    for name in COMMANDS:
        assert re.search(rf"\s{name} [A-Z]", shown), name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_each_of_its_options(name, capsys):
    explain(name)
    shown = capsys.readouterr().out
    assert "--workspace DIR" in shown
    # An option without a word about it would end its line, or be followed by the next option's.
    assert not re.findall(r"^  (--\S+(?: [A-Z_]+)?)\s*\n(?!\s{10,})", shown, re.MULTILINE)


def test_every_setting_of_a_phase_has_an_option():
    assert set(parse("train", "data-1")) - EVERYWHERE == named(HeadSettings) | {
        *("dataset", "from_scratch", "cluster", "shards")
    }
    assert set(parse("finetune", "run-1")) - EVERYWHERE == named(FineTuneSettings) | {*("run", "cluster", "shards")}


def test_the_options_of_trials_are_settings():
    assert set(parse("probe", "run-1")) - EVERYWHERE - {"run", "cluster", "shards"} <= named(ProbeSettings)
    assert set(parse("find-rate", "run-1")) - EVERYWHERE - {"run", "phase"} <= named(FineTuneSettings)
    assert parse("find-rate", "run-1")["phase"] == 2
    assert set(parse("search", "data-1")) - EVERYWHERE - {"dataset", "cluster", "shards", "show"} == named(
        SearchSettings
    )


@pytest.mark.parametrize(
    "words", [("train", "data-1"), ("finetune", "run-1"), ("probe", "run-1"), ("search", "data-1")]
)
def test_an_option_that_is_not_given_leaves_the_default_to_the_settings(words):
    given = {name: value for name, value in parse(*words).items() if value not in (None, False, *words)}
    assert given == {}


def test_options_are_read_as_what_they_are():
    given = parse("train", "d", "--augmentation", "mirror,crop=0.2", "--views", "2", "--exact", "--dropout", "0.5")
    assert (given["augmentation"], given["views"], given["exact"], given["dropout"]) == (
        "mirror,crop=0.2",
        2,
        True,
        0.5,
    )
    assert parse("finetune", "r", "--largest-drop", "0.3")["largest_drop"] == 0.3
    assert parse("compare", "a", "b", "c")["run_ids"] == ("a", "b", "c")
    assert parse("queue", "--front", "job-1", "--json")["front"] == "job-1"
    assert parse("speed")["backbones"] == ()


@pytest.mark.parametrize(
    "words", ["run-1 --formats onnx litert --to m.zip", "--formats onnx --formats litert --to m.zip run-1"]
)
def test_several_formats_follow_one_option_or_each_its_own(words):
    given = parse("export", *words.split())
    assert (given["run"], given["formats"], given["to"]) == ("run-1", ("onnx", "litert"), "m.zip")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "command"),
        (("trian",), "trian"),
        (("train",), "DATASET"),
        (("train", "d", "--epochs", "many"), "--epochs.*'many'"),
        (("train", "d", "--output", "tanh"), "--output.*tanh"),
        (("find-rate", "r", "--phase", "3"), "--phase.*3"),
        (("queue", "--front"), "--front"),
        (("compare",), "RUN"),
        (("runs", "--no-such"), "--no-such"),
    ],
)
def test_words_that_make_no_sense_are_refused_with_the_way_to_help(words, reason):
    with pytest.raises(SettingsError, match=rf"(?s){reason}.*See `python -m thaw.*--help`"):
        run_command(words, PROGRAM)
