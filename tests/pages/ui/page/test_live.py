"""A job as it goes on: its stage and counts, and in one quiet line what it says beside them."""

from streamlit.testing.v1 import AppTest


def show(store, job_id):
    from pages.ui.page import live

    live.progress(store.job(job_id), "photos")


def test_the_line_that_a_job_leaves_stands_below_its_progress(store):
    job_id = store.add_job("check", {})
    store.update_job(job_id, stage="computing_features", done=128, total=512, rate=220.0)
    page = AppTest.from_function(show, kwargs={"store": store, "job_id": job_id})
    assert not page.run().caption
    store.note_job(job_id, "On 3 machines of the cluster at lab:6379, 220 photos/s.")
    store.note_job(job_id, "On 2 machines of the cluster at lab:6379, 200 photos/s.")
    shown = page.run()
    assert [each.value.replace("\\", "") for each in shown.caption] == [
        "On 2 machines of the cluster at lab:6379, 200 photos/s."
    ]
    assert not shown.exception
    assert store.job(job_id).request == {"note": "On 2 machines of the cluster at lab:6379, 200 photos/s."}
