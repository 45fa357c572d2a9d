"""What the guards found for a run, from its facts alone, and how the page tells it."""

import json
from dataclasses import replace

from streamlit.testing.v1 import AppTest

from thaw.storage.facts import read_facts
from thaw.storage.records import Run
from thaw.training.evidence import explain_shortfall, judge_run
from thaw.training.shortfall import Reason
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.history import Epoch

CHECKS = {
    "backbone_training": 0,
    "batch": {"images": 32, "low": -0.99, "high": 1.0, "mean": 0.1, "expected": [-0.992, 1.0]},
    "training": {"ant": 60, "wasp": 60},
    "validation": {"ant": 50, "wasp": 50},
}
MEASURED = {"training_images": 120, "validation_images": 100}
HEAD_FACTS = {"best_epoch": 4, "checks": CHECKS}
TUNED_FACTS = {"best_epoch": 6, "drift": [{"layer": "bn", "mean": 0.0, "variance": 0.0}], "precision": "float32"}


def epochs():
    phases = [1, 1, 1, 1, 2, 2]
    return [Epoch(number, phase, 0.3, 0.9, 0.3, 0.88, 1.0) for number, phase in enumerate(phases, 1)]


def run_with(facts, fine_tune=None, head=None):
    measured = read_facts(json.dumps(facts))
    return Run("run-1", "data-1", "efficientnet-lite0", head or HeadSettings(), fine_tune, 0.0, 1, measured)


def rules(found):
    return {each.rule: each.passed for each in found}


def test_a_phase_without_a_model_says_nothing():
    assert judge_run(run_with({}), epochs(), 1) == []
    assert judge_run(run_with(MEASURED | {"head": HEAD_FACTS}), epochs(), 2) == []


def test_a_sound_run_passes_every_rule():
    run = run_with(MEASURED | {"head": HEAD_FACTS, "fine_tune": TUNED_FACTS}, FineTuneSettings(learning_rate=1e-5))
    head = rules(judge_run(run, epochs(), 1))
    assert head == dict.fromkeys(["Head settled", "Better than chance", "Overfitting", "Batch size", "Memory"], True)
    tuned = rules(judge_run(run, epochs(), 2))
    names = ["Learning rate", "First epoch of phase 2", "BatchNormalization statistics", "Overfitting", "Batch size"]
    assert tuned == dict.fromkeys([*names, "Memory"], True)


def test_incidents_are_judged_and_what_was_not_measured_is_not():
    shrunk = [{"epoch": 5, "batch_size": 32, "next_batch_size": 4}]
    retry = {"rate": 1e-3, "next_rate": 1e-4, "accuracy_before": 0.88, "accuracy_after": 0.4}
    tuned = TUNED_FACTS | {"out_of_memory": shrunk, "retries": [retry]}
    run = run_with(MEASURED | {"head": HEAD_FACTS, "fine_tune": tuned}, FineTuneSettings(learning_rate=1e-3))
    passed = rules(judge_run(run, epochs(), 2))
    failed = {rule for rule, fine in passed.items() if not fine}
    assert failed == {"Learning rate", "First epoch of phase 2", "Batch size", "Memory"}
    old = run_with(MEASURED | {"head": {"best_epoch": 4}, "fine_tune": {"best_epoch": 6}}, FineTuneSettings())
    assert set(rules(judge_run(old, epochs(), 1))) == {"Head settled", "Overfitting", "Memory"}
    assert set(rules(judge_run(old, epochs(), 2))) == {"First epoch of phase 2", "Overfitting", "Memory"}


def test_an_engine_that_had_to_be_given_up_is_told_with_its_reason():
    run = run_with(MEASURED | {"head": HEAD_FACTS, "engine": "tensorflow", "engine_note": "TensorFlow runs it: odd"})
    (told,) = (each for each in judge_run(run, epochs(), 1) if not each.passed)
    assert (told.rule, told.words) == ("Engine", "TensorFlow runs it: odd.")


def test_a_support_vector_machine_has_no_steps_to_judge():
    run = run_with(MEASURED | {"head": HEAD_FACTS}, head=HeadSettings(method="svm"))
    assert set(rules(judge_run(run, epochs(), 1))) == {"Better than chance", "Overfitting", "Memory"}


def test_the_page_tells_each_rule_and_draws_its_tables():
    def script():
        from types import SimpleNamespace

        import streamlit as st

        from pages.ui.components.expert import expert
        from pages.ui.training import evidence
        from tests.thaw.training import test_evidence as here

        st.session_state[expert.ON] = True
        tuned = here.TUNED_FACTS | {"precision": "mixed_float16"}
        facts = here.MEASURED | {"head": here.HEAD_FACTS, "fine_tune": tuned}
        run = here.run_with(facts, here.FineTuneSettings(learning_rate=1e-3))
        store = SimpleNamespace(epochs=lambda run_id: here.epochs())
        evidence.draw(store, run)
        evidence.draw(store, run, 1)
        evidence.draw(store, here.run_with({}))

    page = AppTest.from_function(script, default_timeout=60).run()
    assert not page.exception
    assert [each.label for each in page.expander] == [
        "Is this fine-tuning to be trusted? 6 checks, 1 thing to look at",
        "Is this head to be trusted? 5 checks, nothing to worry about",
    ]
    first = page.markdown[0].value
    assert first.startswith(":material/warning: **Learning rate.**")
    assert any("half precision" in each.value for each in page.caption)
    assert any("-0.99 to 1.00, 0.10 on average (-0.99 to 1.00 expected)" in each.value for each in page.caption)
    drift, classes = (each.value for each in page.dataframe)
    assert drift.iloc[0].tolist() == ["bn", "0.00%", "0.00%"]
    assert classes["validation images"].tolist() == [50, 50]


def test_a_phase_two_that_did_not_help_is_explained_from_what_it_left():
    layers, asked = [{"block": "top"}] * 4, FineTuneSettings(layers=4, learning_rate=1e-5, epochs=2)
    run = run_with(MEASURED | {"head": HEAD_FACTS, "fine_tune": TUNED_FACTS}, asked)
    found = explain_shortfall(run, epochs(), layers, False)
    assert found.reason is Reason.STEP_TOO_SMALL
    assert found.advised.learning_rate == 3e-5
    assert explain_shortfall(run, epochs(), layers, True).reason is Reason.CUT_SHORT
    # Tried once more at the largest rate there may be: what is judged, and no larger one is advised.
    retry = {"rate": 1e-3, "next_rate": 1e-4, "accuracy_before": 0.88, "accuracy_after": 0.4}
    retried = run_with({"head": HEAD_FACTS, "fine_tune": TUNED_FACTS | {"retries": [retry]}}, asked)
    assert explain_shortfall(retried, epochs(), layers, False).reason is Reason.TOO_FEW_ROUNDS


def test_a_phase_two_that_helped_or_left_no_model_has_nothing_to_explain():
    facts = MEASURED | {"head": HEAD_FACTS, "fine_tune": TUNED_FACTS}
    helped = replace(run_with(facts, FineTuneSettings(layers=4, learning_rate=1e-5)), result_phase=2)
    assert explain_shortfall(helped, epochs(), [], False) is None
    assert explain_shortfall(run_with({"head": HEAD_FACTS}, FineTuneSettings(4)), epochs(), [], False) is None
