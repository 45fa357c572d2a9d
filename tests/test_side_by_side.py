"""What the script that runs a benchmark at two commits reads of what was printed."""

from collections import defaultdict

from benchmarks.side_by_side import read_figures, tell

FOLDER = "From a folder\n  2,000 of 2,000 files ready in 4.0 s\nLarge ones\n  40 of 40 files ready in 2.0 s\n"
AGAIN = "From a folder\n  2,000 of 2,000 files ready in 8.0 s\nLarge ones\n   4 of  4 files ready in 1.0 s\n"
FILES = "# of # files ready in # s"


def test_lines_of_the_same_words_are_known_by_their_place_in_a_run():
    figures = defaultdict(list)
    read_figures(FOLDER, figures)
    read_figures(AGAIN, figures)
    assert figures == {(FILES, 0): [[2000, 2000, 4], [2000, 2000, 8]], (FILES, 1): [[40, 40, 2], [4, 4, 1]]}


def test_figures_stand_beside_one_another_with_their_ratio(capsys):
    tell("ready in # s, # lost", [[4.0, 0], [6.0, 0], [5.0, 0]], [[10.0, 1], [2.0, 1], [2.5, 1]])
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "ready in # s, # lost"
    assert told[1].split() == ["old", "5.000", "new", "2.500", "new/old", "0.50"]
    assert told[2].split() == ["old", "0.000", "new", "1.000", "new/old", "-"]
