"""The decision that is kept with a run."""

import pytest

from tests.support.pages import add_dataset, add_run
from tests.support.pages import store as store
from thaw.runs.decision import keep_decision, read_decision
from tlcore.errors import SettingsError
from tlcore.settings import Decision


def test_what_is_kept_is_read_again_and_is_of_its_phase_alone(store):
    run_id = add_run(store, add_dataset(store))
    assert read_decision(store.run(run_id)) is None
    keep_decision(store, run_id, Decision(1, 1.7, 0.4))
    keep_decision(store, run_id, Decision(1, 1.7, 0.6))
    assert read_decision(store.run(run_id)) == Decision(1, 1.7, 0.6)
    store.set_result(run_id, 2)
    assert read_decision(store.run(run_id)) is None


@pytest.mark.parametrize(("temperature", "threshold"), [(0.0, 0.5), (-1.0, 0.5), (1.0, -0.1), (1.0, 1.1)])
def test_what_makes_no_sense_is_refused(temperature, threshold):
    with pytest.raises(SettingsError, match="Expected"):
        Decision(1, temperature, threshold)
