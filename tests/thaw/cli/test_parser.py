"""The grammar of the command line: one parser a command, options that are the settings' own, and refusals in words."""

import dataclasses
import re

import pytest

from thaw.cli.data import COMMANDS
from thaw.cli.parser import build_parser
from tlcore.errors import SettingsError
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.tuning.probe_record import ProbeSettings

EVERYWHERE = {"command", "workspace", "json"}


def parse(*words):
    return vars(build_parser().parse_args(list(words)))


def named(settings):
    return {field.name for field in dataclasses.fields(settings)}


def listed_commands():
    return re.search(r"\{(.+?)\}", build_parser().format_usage()).group(1).split(",")


def test_every_command_has_a_parser_and_every_parser_a_command():
    assert listed_commands() == list(COMMANDS)


def test_every_command_is_explained():
    shown = " ".join(build_parser().format_help().split())
    for name in COMMANDS:
        assert re.search(rf"\s{name} [A-Z]", shown), name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_each_of_its_options(name, capsys):
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "--workspace DIR" in shown
    # An option without a word about it would end its line, or be followed by the next option's.
    assert not re.findall(r"^  (--\S+(?: [A-Z_]+)?)\s*\n(?!\s{10,})", shown, re.MULTILINE)


def test_every_setting_of_a_phase_has_an_option():
    assert set(parse("train", "data-1")) - EVERYWHERE == named(HeadSettings) | {"dataset"}
    assert set(parse("finetune", "run-1")) - EVERYWHERE == named(FineTuneSettings) | {"run"}


def test_the_options_of_trials_are_settings():
    assert set(parse("probe", "run-1")) - EVERYWHERE - {"run"} <= named(ProbeSettings)
    assert set(parse("find-rate", "run-1")) - EVERYWHERE - {"run", "phase"} <= named(FineTuneSettings)
    assert parse("find-rate", "run-1")["phase"] == 2


@pytest.mark.parametrize("words", [("train", "data-1"), ("finetune", "run-1"), ("probe", "run-1")])
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
    assert parse("compare", "a", "b", "c")["runs"] == ["a", "b", "c"]
    assert parse("queue", "--front", "job-1", "--json")["front"] == "job-1"
    assert parse("speed")["backbones"] == []


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
        build_parser().parse_args(list(words))
