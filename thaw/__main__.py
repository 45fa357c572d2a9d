"""The command line, `python -m thaw COMMAND`: the same functions as the dashboard, without a browser."""

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from click.exceptions import Exit

from thaw.cli.commands import run_command
from tlcore.errors import ThawError

# What a shell says of a program that SIGINT ended.
INTERRUPTED = 130


def show(answer: Any, as_json: bool) -> None:
    """Print an answer: one JSON value, or text as it is, or lines for a person to read."""
    if as_json:
        print(json.dumps(answer))
        return
    if isinstance(answer, str):
        print(answer, end="")
        return
    for item in answer if isinstance(answer, list) else [answer]:
        for name, value in item.items():
            if isinstance(value, list):
                print(f"{name}:", *(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in value), sep="\n")
            else:
                print(f"{name}: {json.dumps(value, ensure_ascii=False)}")
        print()


def main(words: list[str] | None = None) -> int:
    """Run one command; return 0, or 1 with the reason on standard error (and as `error` in the JSON).

    `predict` returns 2 where some pictures have no answer, and Ctrl+C makes it 130, as shells have it.
    """
    given = sys.argv[1:] if words is None else words
    as_json = "--json" in given
    program = "thaw" if Path(sys.argv[0]).stem == "thaw" else f"python -m {__package__}"
    try:
        command, answer = run_command(given, program)
    except Exit as ended:
        return ended.exit_code
    except ThawError as problem:
        return fail(str(problem), as_json)
    except KeyboardInterrupt:
        fail("Stopped by Ctrl+C. What was finished is kept; a training goes on by `resume`.", as_json)
        return INTERRUPTED
    except Exception as problem:  # noqa: BLE001 - the outermost shell: a script that reads the JSON must hear of it
        from thaw.jobs.reporter import explain

        traceback.print_exc()
        return fail(explain(problem), as_json)
    show(answer, as_json)
    if command != "predict":
        return 0
    from thaw.cli.predict import grade

    return grade(answer)


def fail(reason: str, as_json: bool) -> int:
    """Tell why a command failed; return its exit status."""
    print(reason, file=sys.stderr)
    if as_json:
        print(json.dumps({"error": reason}))
    return 1


if __name__ == "__main__":
    sys.exit(main())
