"""Which columns of a table name files, give their classes and tell their part: by usual names and by their cells."""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from thaw.storage.questions import Ask, Option, Question

# The columns of other tools and of public data sets, as `_plain` writes them; of two the earlier is preferred.
FILE_NAMES = (
    *("path", "filepath", "filename", "file", "imagepath", "imagefile", "imagefilename", "imagename", "image", "img"),
    *("imgpath", "imgfile", "imgname", "relativepath", "fname", "photo", "photopath", "picture", "pic", "imageid"),
    *("imgid", "photoid", "fileid", "id", "imageurl", "imageuri", "photourl", "fileurl", "gcsfilepath", "gcsuri"),
    *(
        "imagegcsuri",
        "url",
        "uri",
        "externalid",
        "globalkey",
        "originalfilename",
        "dateiname",
        "datei",
        "bild",
        "fichier",
    ),
    *("archivo", "imagen", "imagem", "arquivo", "nomefile", "immagine"),
)
LABEL_NAMES = (
    *(
        "label",
        "class",
        "classname",
        "labelname",
        "classlabel",
        "category",
        "categoryname",
        "choice",
        "breed",
        "species",
    ),
    *(
        "target",
        "tag",
        "variety",
        "disease",
        "diagnosis",
        "dx",
        "grade",
        "groundtruth",
        "annotation",
        "labels",
        "classes",
    ),
    *("categories", "choices", "tags", "annotations", "keywords", "type", "kind", "classid", "labelid", "categoryid"),
    *(
        "classidx",
        "labelidx",
        "classindex",
        "y",
        "gt",
        "klasse",
        "kategorie",
        "classe",
        "clase",
        "categoria",
        "etiqueta",
    ),
)
PLURALS = frozenset({"labels", "classes", "categories", "choices", "tags", "annotations", "keywords"})
SPLIT_NAMES = frozenset({"split", "set", "subset", "partition", "fold", "phase", "mluse", "usage", "datasplit", "part"})
SPLITS = {
    **dict.fromkeys(("train", "training", "trn", "trainingset", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "validationset", "valset"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout", "testset"), "test"),
}
SAMPLE_ROWS = 200
MOST_NAMED = 8
_IMAGE_ENDING = re.compile(r"\.(jpe?g|png|gif|bmp|webp|tiff?|avif|heic|heif|ppm|pgm|jfif)([?#].*)?$", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?\d*[.,]?\d+([eE][+-]?\d+)?")
_YES, _NO = frozenset({"1", "1.0", "true", "yes", "x"}), frozenset({"0", "0.0", "false", "no", ""})

Exists = Callable[[str], bool]


class NoColumns(Exception):
    """The table has no column of files, or none of classes; `files` is true where it does name files that exist."""

    def __init__(self, received: str, files: bool) -> None:
        super().__init__(received)
        self.files = files


@dataclass(frozen=True)
class Columns:
    """Where a table has what: the numbers of its columns from 0; `label` is None where the columns `one_hot` each
    stand for the class that `names` has in their place; `headed` says whether the first line names the columns."""

    names: tuple[str, ...]
    headed: bool
    file: int
    label: int | None
    one_hot: tuple[int, ...] = ()
    split: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def plural(self) -> bool:
        """Say whether the column of labels is called by a plural, so that a cell may well hold several."""
        return self.label is not None and self.headed and plain(self.names[self.label]) in PLURALS


def plain(name: str) -> str:
    """Write the name of a column in its simplest form: "Image ID", "image_id" and "ImageID" are one."""
    return "".join(each for each in unicodedata.normalize("NFKC", name).casefold() if each.isalnum())


def is_known(name: str) -> bool:
    """Say whether a cell is a usual name of a column."""
    return plain(name) in (*FILE_NAMES, *LABEL_NAMES, *SPLIT_NAMES)


def split_of(text: str) -> str:
    """Return "train", "validation" or "test" for a word that means it, else ""."""
    return SPLITS.get(plain(text), "")


def choose_columns(table: str, rows: Sequence[Sequence[str]], exists: Exists, ask: Ask, named: bool = False) -> Columns:
    """Tell the columns from a table's first rows, the header among them if there is one.

    `exists` says whether a cell names a file that is there. Where several columns could hold the class, `ask` is
    called; with `named`, only one of a usual name can. Raises NoColumns.
    """
    width = max(map(len, rows), default=0)
    if width < 2 or len(set(rows[0])) < 2:
        raise NoColumns(f"one column only: {_listed(rows[0] if rows else [])}", files=False)
    padded = [[*row, *[""] * (width - len(row))] for row in rows[: SAMPLE_ROWS + 1]]
    return _Chooser(table, padded, exists).choose(ask, named)


class _Chooser:
    """Weighs the columns of one table by their names and a sample of their cells."""

    def __init__(self, table: str, rows: list[list[str]], exists: Exists) -> None:
        self.table = table
        self.first = rows[0]
        self.headed = _is_header(rows, exists)
        self.names = tuple(self.first) if self.headed else tuple(f"column {n}" for n in range(1, len(self.first) + 1))
        body = rows[1:] if self.headed else rows
        self.raw = list(zip(*body, strict=True))
        self.cells = [[cell for cell in column if cell] for column in self.raw]
        self.columns = range(len(self.first)) if body else range(0)
        self.hits = {n: _share(self.cells[n], exists) for n in self.columns}

    def choose(self, ask: Ask, named: bool) -> Columns:
        file = self._file()
        rest = [n for n in self.columns if n != file]
        split = next((n for n in rest if self._is_split(n)), None)
        rest = [n for n in rest if n != split]
        hot = tuple(n for n in rest if self.headed and self._is_binary(n) and self._rank(n, FILE_NAMES) is None)
        is_hot = len(hot) > 1 and self._is_one_hot(hot)
        labels = self._named(rest) or ([] if is_hot or (named and self.headed) else self._unnamed(rest))
        if labels:
            label, notes = self._one_of(labels, ask)
            return Columns(self.names, self.headed, file, label, (), split, notes)
        if is_hot or (len(hot) > 1 and not named):
            return Columns(self.names, self.headed, file, None, hot, split)
        raise NoColumns(f"no column that is clearly the class among {_listed(self.first)}", files=self.hits[file] > 0)

    def _file(self) -> int:
        """Return the column that names most files which are there, or else is called or looks like one."""

        def looks(n: int) -> float:
            return _share(self.cells[n], lambda cell: bool(_IMAGE_ENDING.search(cell)))

        def weight(n: int) -> tuple[float, bool, float, int]:
            rank = self._rank(n, FILE_NAMES)
            return round(self.hits[n], 1), rank is not None, looks(n), -(rank or 0)

        best = max(self.columns, key=weight, default=None)
        if best is None or not any(weight(best)[:3]):
            raise NoColumns(f"no column of file names among {_listed(self.first)}", files=False)
        return best

    def _named(self, rest: Sequence[int]) -> list[int]:
        """Return the columns that are called by a usual name for the class, in the order of these names."""
        named = [n for n in rest if self._rank(n, LABEL_NAMES) is not None and self.cells[n]]
        return sorted(named, key=lambda n: self._rank(n, LABEL_NAMES) or 0)

    def _unnamed(self, rest: Sequence[int]) -> list[int]:
        """Return the columns that may hold the class by what is in them: words, and of several columns few of them."""
        if len(rest) == 1 and self._is_words(rest[0]):
            return list(rest)
        if len(rest) == 1 and not self.headed and all(map(_INTEGER.fullmatch, self.cells[rest[0]])):
            return list(rest)
        return [n for n in rest if self._is_words(n) and self._repeats(n)]

    def _one_of(self, labels: list[int], ask: Ask) -> tuple[int, tuple[str, ...]]:
        """Return the column of the class, of two that mean the same the one in words; ask where they differ."""
        labels = [n for n in labels if not any(self._renames(other, n) for other in labels if other != n)] or labels
        names = [self.names[n] if self.names.count(self.names[n]) == 1 else f"column {n + 1}" for n in labels]
        chosen = labels[0]
        if len(labels) > 1:
            options = tuple(Option(name, name, self._preview(n)) for n, name in zip(labels, names, strict=True))
            question = Question("label-column", f"Which column of {self.table!r} is the class?", options, names[0])
            chosen = labels[names.index(ask(question))]
        if self.headed and self._rank(chosen, LABEL_NAMES) is None:
            return chosen, (f"The column {self.names[chosen]!r} of {self.table!r} was taken for the class.",)
        return chosen, ()

    def _renames(self, words: int, numbers: int) -> bool:
        """Say whether one column gives the same classes as another, and in words where that has numbers."""
        pairs = set(zip(self.cells[words], self.cells[numbers], strict=False))
        same = len(pairs) == len(set(self.cells[words])) == len(set(self.cells[numbers]))
        if not same or len(self.cells[words]) != len(self.cells[numbers]):
            return False
        return self._is_words(words) and not self._is_words(numbers)

    def _is_split(self, n: int) -> bool:
        told = _share(self.cells[n], lambda cell: bool(split_of(cell)))
        return told > 0.5 if self.headed and plain(self.names[n]) in SPLIT_NAMES else not self.headed and told == 1

    def _is_binary(self, n: int) -> bool:
        return all(cell.casefold() in _YES | _NO for cell in self.cells[n])

    def _is_one_hot(self, hot: Sequence[int]) -> bool:
        """Say whether most rows have a 1 in exactly one of these columns."""
        rows = list(zip(*(self.raw[n] for n in hot), strict=True))
        return sum(sum(cell.casefold() in _YES for cell in row) == 1 for row in rows) > len(rows) / 2

    def _is_words(self, n: int) -> bool:
        return bool(self.cells[n]) and not any(map(_NUMBER.fullmatch, self.cells[n]))

    def _repeats(self, n: int) -> bool:
        return 1 < len(set(self.cells[n])) <= len(self.cells[n]) / 2

    def _rank(self, n: int, known: Sequence[str]) -> int | None:
        name = plain(self.names[n]) if self.headed else ""
        return known.index(name) if name in known else None

    def _preview(self, n: int) -> str:
        return _listed(sorted(set(self.cells[n])))


def read_one_hot(cells: Sequence[str], names: Sequence[str]) -> tuple[str, str]:
    """Return the class whose cell holds a 1, or "" and the reason why there is none."""
    marked = [name for cell, name in zip(cells, names, strict=True) if cell.casefold() in _YES]
    odd = next((cell for cell in cells if cell.casefold() not in _YES | _NO), None)
    if odd is not None:
        return "", f"one of its class columns holds {odd[:40]!r} where a 0 or a 1 was expected"
    if len(marked) > 1:
        return "", several(marked)
    return (marked[0], "") if marked else ("", "none of its class columns holds a 1, so it has no class")


def read_label(cell: str) -> tuple[str, str]:
    """Return the label that a cell holds, as text or as a list in JSON, or "" and the reason why there is none."""
    if not cell.startswith(("[", "{")):
        return cell, ""
    try:
        value = json.loads(cell if '"' in cell else cell.replace("'", '"'))
    except (ValueError, RecursionError):
        return cell, ""
    if isinstance(value, dict):
        value = value.get("choices", value)
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str | int) for each in listed):
        return "", "its label is no name but data of another kind"
    return (str(listed[0]), "") if len(listed) == 1 else ("", several(list(map(str, listed))))


def several(labels: Sequence[str]) -> str:
    """Word why a row of several labels is set aside, or of none."""
    if not labels:
        return "its label is empty"
    named = ", ".join(repr(label) for label in labels[:MOST_NAMED])
    return f"it has several labels ({named}); a photo is of one class here. Leave one label in its row"


def _is_header(rows: Sequence[Sequence[str]], exists: Exists) -> bool:
    first = rows[0]
    if any(exists(cell) or _IMAGE_ENDING.search(cell) for cell in first if cell):
        return False
    if any(map(is_known, first)):
        return True
    return any(_share([row[n] for row in rows[1:] if row[n]], exists) > 0.5 for n in range(len(first)))


def _share(cells: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, cells)) / len(cells) if cells else 0.0


def _listed(cells: Sequence[str]) -> str:
    more = f" and {len(cells) - MOST_NAMED:,} more" if len(cells) > MOST_NAMED else ""
    return ", ".join(repr(cell[:40]) for cell in cells[:MOST_NAMED]) + more
