"""Both phases mirrored on several devices."""

import subprocess
import sys
from pathlib import Path

import pytest

from thaw.jobs import starts
from thaw.jobs.devices import spread_over_gpus
from tlcore.settings import FineTuneSettings, HeadSettings

ROOT = Path(__file__).parents[3]


def test_without_gpus_nothing_is_mirrored():
    with spread_over_gpus() as entered:
        assert entered is None


MIRRORED = """
import sys
import tensorflow as tf

processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
from thaw import worker
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.jobs import devices

devices.spread_over_gpus = lambda: devices.mirror(["CPU:0", "CPU:1"])
worker.work(Store(open_workspace(sys.argv[1])), sys.argv[2])
"""


@pytest.mark.slow
def test_both_phases_train_mirrored_on_two_devices(store, tiny_dataset):
    def train(run_id):
        job_id = store.latest_job(run_id).id
        subprocess.run([sys.executable, "-c", MIRRORED, str(store.workspace.root), job_id], check=True, cwd=ROOT)
        assert store.latest_job(run_id).status == "finished", store.latest_job(run_id).error

    run_id = starts.add_head_job(store, tiny_dataset, HeadSettings(image_size=32, epochs=3, batch_size=8))
    train(run_id)
    starts.add_fine_tune_job(store, run_id, FineTuneSettings(layers=20, epochs=2, batch_size=8, insist=True))
    train(run_id)
    assert [epoch.phase for epoch in store.epochs(run_id)] == [1, 1, 1, 2, 2]
