"""From evidence to verdicts, and the file of a calibration."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.presence import PresenceCalibration, PresenceEvidence, PresenceVerdict
from segue.presence.calibration import (
    PresenceModel,
    bundled_calibration,
    user_calibration,
    user_calibration_file,
)

NAMES = {"chat": "a", "detect": "b", "segment": "c"}
MODEL = PresenceModel(-2.0, (1.5, 0.5, 2.0, 0.3))
CALIBRATION = PresenceCalibration(NAMES, dict.fromkeys(("detector", "chat", "both"), MODEL))

shares = st.floats(0, 1)
evidence = st.builds(
    PresenceEvidence,
    st.none() | shares,
    st.none() | st.booleans(),
    st.none() | shares,
    st.none() | shares,
)
models = st.builds(PresenceModel, st.floats(-5, 5), st.tuples(*[st.floats(0, 5)] * 4)) | st.lists(
    st.tuples(st.floats(-9, 9), shares), min_size=1, max_size=6
).map(
    lambda knots: PresenceModel(
        0.0,
        (1.0, 1.0, 1.0, 1.0),
        tuple(zip(sorted({x for x, _ in knots}), sorted(y for _, y in knots))),
    )
)


def test_the_sources_follow_from_who_was_asked():
    assert PresenceEvidence().sources is None
    assert PresenceEvidence(0.3).sources == "detector"
    assert PresenceEvidence(pointed_at=False).sources == "chat"
    assert PresenceEvidence(0.0, True).sources == "both"


def test_the_thresholds_divide_the_probabilities():
    scores = [0.01, 0.5, 0.99]
    verdicts = [CALIBRATION.verdict(PresenceEvidence(score, False)) for score in scores]
    assert [verdict.presence for verdict in verdicts] == ["absent", "absent", "present"]
    unsure = CALIBRATION.verdict(PresenceEvidence(0.8, True))
    assert unsure.presence == "unsure"
    expected = 1 / (1 + math.exp(-(-2.0 + 1.5 * math.log(4) + 0.5)))
    assert unsure.probability == pytest.approx(expected)
    assert str(unsure) == f"unsure ({100 * expected:.0f} %)"


def test_there_is_no_verdict_where_nothing_was_fitted_or_asked():
    only_chat = PresenceCalibration(NAMES, {"chat": MODEL})
    assert only_chat.verdict(PresenceEvidence(0.9)) is None
    assert only_chat.verdict(PresenceEvidence()) is None


@given(models, evidence, shares, shares)
def test_more_evidence_never_makes_presence_less_likely(model, one, low, high):
    low, high = sorted((low, high))
    more = model.probability(replace(one, detector_score=high))
    assert 0 <= model.probability(replace(one, detector_score=low)) <= more <= 1
    assert model.probability(replace(one, pointed_at=False)) <= model.probability(
        replace(one, pointed_at=True)
    )


@given(st.dictionaries(st.sampled_from(["detector", "chat", "both"]), models), evidence)
def test_a_calibration_is_read_as_it_was_written(fitted, one):
    calibration = PresenceCalibration(NAMES, fitted, 0.1, 0.7, {"data": "x"})
    again = PresenceCalibration.from_json(json.loads(json.dumps(calibration.to_json())))
    assert again.verdict(one) == calibration.verdict(one)
    assert again.to_json() == calibration.to_json()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value: value.update(format=2), "format 1"),
        (lambda value: value.update(absent_below=0.9), "not in order"),
        (lambda value: value.update(absent_below="x"), "finite number"),
        (lambda value: value["models"]["chat"].update(intercept=math.nan), "finite number"),
        (lambda value: value["models"]["chat"]["coefficients"].pop("agreement"), "agreement"),
        (
            lambda value: value["models"]["chat"]["coefficients"].update(agreement=-1),
            "negative",
        ),
        (lambda value: value["models"]["chat"].update(curve=[[1, 0.5], [0, 0.7]]), "ascending"),
        (lambda value: value["models"]["chat"].update(curve=[[0, 1.5]]), "ascending"),
        (lambda value: value.update(names=3), "damaged"),
        (lambda value: value.update(models=[]), "damaged"),
        (lambda value: value.update(absent_below=10**400), "damaged"),
        (lambda value: value.update(names={"chat": 3}), "not a text"),
        (lambda value: value.pop("models"), "models"),
    ],
)
def test_damage_is_named(tmp_path, change, said):
    value = CALIBRATION.to_json()
    change(value)
    file = tmp_path / "calibration.json"
    file.write_text(json.dumps(value))
    with pytest.raises(InputError, match=said):
        PresenceCalibration.read(file)


@pytest.mark.parametrize("content", ["", "[]", "null", "{", "[" * 100_000])
def test_what_is_no_calibration_is_refused(tmp_path, content):
    file = tmp_path / "calibration.json"
    file.write_text(content)
    with pytest.raises(InputError, match="calibration"):
        PresenceCalibration.read(file)
    with pytest.raises(InputError, match="Cannot read"):
        PresenceCalibration.read(tmp_path / "missing.json")


def test_it_fits_the_models_it_was_fitted_for_and_fewer_of_them():
    assert CALIBRATION.fits(NAMES)
    assert CALIBRATION.fits({**NAMES, "chat": None})
    assert not CALIBRATION.fits({**NAMES, "detect": "another"})
    assert not CALIBRATION.fits({"chat": None, "detect": None, "segment": None})


def test_the_bundled_models_have_one_and_others_do_not():
    names = {
        "chat": "embedded-chat",
        "detect": "embedded-detector",
        "segment": "embedded-segmenter",
    }
    bundled = bundled_calibration(names)
    assert set(bundled.models) == {"detector", "chat", "both"}
    assert max(score["ece"] for score in bundled.fitted_on["scores"].values()) < 0.05
    assert bundled_calibration({**names, "chat": "qwen-vl-chat"}) is None


def test_the_users_own_is_found_by_the_names(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path))
    assert user_calibration(NAMES) is None
    file = user_calibration_file(NAMES)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(CALIBRATION.to_json()))
    assert user_calibration(NAMES).names == NAMES
    assert user_calibration({**NAMES, "chat": "other"}) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"probability": 2, "presence": "present"},
        {"probability": True, "presence": "absent"},
        {"probability": 0.5, "presence": "maybe"},
        {"probability": "0.5", "presence": "absent"},
    ],
)
def test_what_is_no_verdict_is_refused(value):
    with pytest.raises(InputError, match="verdict"):
        PresenceVerdict.from_json(value)
