"""`segue convert-weights`; the conversion itself is tested in tests/test_convert_weights.py."""


def test_a_checkpoint_that_is_not_there_is_named(run, tmp_path) -> None:
    outcome = run("convert-weights", tmp_path / "sam_vit_b.pth", tmp_path / "out")
    assert outcome.code == 4
    assert "sam_vit_b.pth" in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_kept(run, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    outcome = run("convert-weights", tmp_path / "x.pth", tmp_path / "out")
    assert outcome.code == 2
    assert "must be new or empty" in outcome.err
