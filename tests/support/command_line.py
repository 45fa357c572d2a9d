"""The command line asked in its own words, within the test's process."""

from thaw.cli.commands import run_command


def ask(store, *words):
    """Return what a command answers for a store's workspace, as Python values."""
    return run_command([*map(str, words), "--workspace", str(store.workspace.root)], "python -m thaw")[1]
