"""The records in the repository are of the experiments as they stand, on the data as it is."""

import pytest

from ltcourse import data, experiments, models, runs

RECORDS = [tuple(path.name.split(".")[:2]) for path in runs.recorded()]


def test_there_are_records():
    assert {("han-lenet-300-100", "desk"), ("han-lenet-5", "desk"), ("penalties-lenet-300-100", "desk")} <= set(RECORDS)


@pytest.mark.parametrize(("name", "at"), RECORDS)
def test_a_record_is_of_the_settings_and_the_data_that_the_code_has_now(name, at):
    record = runs.load(name, at)
    assert record.settings == experiments.settings(name, at).to_dict(), "make it again: `ltcourse record`"
    assert record.provenance["data_sha256"] == data.load(record.settings["data"]).sha256
    assert "+changes" not in record.provenance["code"], "recorded by code that was never committed"


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5"])
def test_a_twelfth_of_the_weights_is_recorded_as_no_worse_than_the_dense_reference(name):
    record = runs.load(f"han-{name}", "desk")
    last = record.settings["rounds"]
    dense, pruned = (record.values("magnitude", i, "test_error") for i in (0, last))
    assert len(dense) >= 3
    assert sum(pruned) <= sum(dense)
    (kept,) = set(record.values("magnitude", last, "kept"))
    assert kept * 12 <= models.weight_count(models.create(name, device="meta"))
