"""Every reader, on the stand-in that is written in the published format."""

import json
import os
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segue.benchmarks import BENCHMARKS
from segue.benchmarks.dataset import Benchmark, BenchmarkDataset, open_picture
from segue.benchmarks.item import MaskTruth, VideoTruth
from segue.benchmarks.reasonseg import read_reasonseg
from segue.benchmarks.refer_sets import is_of_split, read_refer_set
from segue.errors import InputError
from segue.values.box import Size
from segue.values.image import Image


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Benchmark, Path, str]]:
    """Each benchmark with the folder of its stand-in."""
    found = {}
    for name in BENCHMARKS:
        folder = tmp_path_factory.mktemp(name.replace("+", "-plus"))
        benchmark = BENCHMARKS.load(name)
        found[name] = (benchmark, folder, benchmark.write_demo(folder))
    return found


def read(stand_ins, name: str) -> BenchmarkDataset:
    benchmark, folder, split = stand_ins[name]
    return benchmark.read(folder, split, None)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_stand_in_has_twenty_pictures_and_nothing_is_skipped(stand_ins, name):
    dataset = read(stand_ins, name)
    assert list(dataset.skipped) == []
    dataset.check_pictures()
    pictures = {
        path
        for item in dataset.items
        for path in (dataset.locate_frames(item) or [dataset.locate(item)])
    }
    assert len(pictures) == (40 if name == "refsegrs" else 20)
    assert len({item.id for item in dataset.items}) == len(dataset.items)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_truths_are_of_the_size_of_their_pictures(stand_ins, name):
    dataset = read(stand_ins, name)
    for item in dataset.items[:6]:
        image = Image.open(dataset.locate(item))
        if item.read_truth is None:
            assert all(box.clipped(image.size) == box for box in item.boxes)
            continue
        truth = item.read_truth(image.size)
        if isinstance(truth, MaskTruth):
            assert truth.target.shape == image.size
        elif isinstance(truth, VideoTruth):
            assert truth.read_frame(4).shape == (truth.n_objects, *image.size)
        else:
            assert all(tuple(mask["size"]) == image.size for masks in truth for mask in masks)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_is_said_where_data_are_to_be_had(stand_ins, name):
    benchmark = stand_ins[name][0]
    assert "http" in benchmark.home or "Google Drive" in benchmark.home
    assert benchmark.protocols
    assert benchmark.name == name


def test_counts_that_differ_from_what_is_published_are_said(stand_ins):
    benchmark = stand_ins["refcoco"][0]
    sentences = benchmark.count_sentences(read(stand_ins, "refcoco"))
    assert sentences == ["10834 expressions are published, these files hold 40."]


def test_grefcoco_has_single_targets_several_and_none(stand_ins):
    counts = Counter(len(item.boxes) for item in read(stand_ins, "grefcoco").items)
    assert set(counts) == {0, 1, 2, 3}
    assert counts[0] == 20


def test_testa_is_a_substring_as_in_refer():
    assert [is_of_split(split, "testA") for split in ("testA", "testAB", "testB")] == [
        True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("place", ["", "refer_seg", "refer/data", "data"])
def test_refcoco_is_found_in_the_folders_people_have(stand_ins, tmp_path, place):
    _, folder, _ = stand_ins["refcoco"]
    target = tmp_path / place / "refcoco"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(folder / "refcoco", target_is_directory=True)
    (tmp_path / "images").symlink_to(folder / "images", target_is_directory=True)
    dataset = read_refer_set(tmp_path, "refcoco", "val", "unc")
    dataset.check_pictures()
    assert len(dataset.items) == 40


def test_an_unknown_split_is_answered_with_those_that_are_there(stand_ins):
    with pytest.raises(InputError, match=r"no expression of the split 'testA'; it has val\."):
        read_refer_set(stand_ins["refcoco"][1], "refcoco", "testA", "unc")


def test_a_folder_without_the_files_is_told_what_is_expected(tmp_path):
    with pytest.raises(InputError, match=r"has no refs\(umd\)\.p or .* Expected refs\(umd\)\.p"):
        read_refer_set(tmp_path, "refcocog", "val", "umd")


class _Command:
    """Would make a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_names_a_class_is_refused(stand_ins, tmp_path):
    _, folder, _ = stand_ins["refcoco"]
    (tmp_path / "instances.json").write_bytes((folder / "refcoco" / "instances.json").read_bytes())
    (tmp_path / "refs(unc).p").write_bytes(pickle.dumps([_Command(tmp_path / "made")]))
    with pytest.raises(InputError, match="is not a plain file of references"):
        read_refer_set(tmp_path, "refcoco", "val", "unc")
    assert not (tmp_path / "made").exists()


def test_damaged_references_are_skipped_and_named(stand_ins, tmp_path):
    _, folder, _ = stand_ins["refcoco"]
    references = pickle.loads((folder / "refcoco" / "refs(unc).p").read_bytes())
    references[0]["ann_id"] = 999
    references[1]["sentences"] = [{"sent": "  "}, {"raw": "no sent"}]
    references[2]["image_id"] = {}
    (tmp_path / "instances.json").write_bytes((folder / "refcoco" / "instances.json").read_bytes())
    (tmp_path / "refs(unc).json").write_text(json.dumps(references))
    dataset = read_refer_set(tmp_path, "refcoco", "val", "unc", folder / "images" / "train2014")
    assert len(dataset.items) == 37
    assert len(dataset.skipped) == 4
    assert "reference 1: the instances have no annotation 999." in dataset.skipped[0]


def test_a_name_never_leads_out_of_the_picture_folder(stand_ins, tmp_path):
    _, folder, _ = stand_ins["coco"]
    document = json.loads((folder / "annotations" / "instances_val2017.json").read_text())
    document["images"][0]["file_name"] = "../../../../etc/passwd"
    document["images"][1]["file_name"] = "/etc/passwd"
    (tmp_path / "instances_val2017.json").write_text(json.dumps(document))
    dataset = BENCHMARKS.load("coco").read(tmp_path, "val2017", folder / "val2017")
    for item in dataset.items[:2]:
        with pytest.raises(InputError, match="leads outside its folder"):
            dataset.locate(item)
    assert dataset.locate(dataset.items[2]).is_file()


def test_a_wrong_picture_folder_is_refused_before_anything_is_asked(stand_ins, tmp_path):
    benchmark, folder, split = stand_ins["coco"]
    dataset = benchmark.read(folder, split, tmp_path)
    with pytest.raises(InputError, match="None of the first 20 pictures can be opened"):
        dataset.check_pictures()


def test_lvis_asks_only_for_categories_that_were_checked(stand_ins):
    dataset = read(stand_ins, "lvis")
    assert {len(item.phrases) for item in dataset.items} == {2, 3, 4}
    assert dataset.items[0].phrases[0] == "airplane"


def test_coco_asks_for_every_category(stand_ins):
    assert {len(item.phrases) for item in read(stand_ins, "coco").items} == {8}


def test_a_coco_file_is_no_lvis_file(stand_ins, tmp_path):
    _, folder, _ = stand_ins["coco"]
    source = folder / "annotations" / "instances_val2017.json"
    (tmp_path / "lvis_v1_val.json").write_bytes(source.read_bytes())
    with pytest.raises(InputError, match="no neg_category_ids"):
        BENCHMARKS.load("lvis").read(tmp_path, "val", None)


def test_saco_leaves_out_pairs_that_are_not_exhaustive(stand_ins):
    dataset = read(stand_ins, "saco-gold")
    assert len(dataset.items) == 39
    assert dataset.notes == ["1 pairs are not annotated exhaustively and are not asked."]
    truth = dataset.items[0].instance_truth(Size(480, 640))
    assert [len(instances) for instances in truth] == [1, 1, 0]


def test_odinw_says_which_sets_are_missing(stand_ins):
    dataset = read(stand_ins, "odinw13")
    assert len(dataset.notes) == 11
    assert set(dataset.documents) == {"Raccoon", "pothole"}


def write_reasonseg_file(folder: Path, shapes: list, encoding: str = "utf-8") -> None:
    (folder / "val").mkdir(exist_ok=True)
    document = {"text": ["café?", "never"], "is_sentence": True, "shapes": shapes}
    content = json.dumps(document, ensure_ascii=False).encode(encoding)
    (folder / "val" / "a.json").write_bytes(content)
    Image(np.zeros((20, 20, 3), np.uint8)).to_pil().save(folder / "val" / "a.jpg")


def write_reasonseg_shard(path: Path, masks: list) -> None:
    """A Parquet file as it is re-published: pictures as bytes, masks as lists of bools."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [
        {
            "image": {"bytes": Image(np.zeros((4, 6, 3), np.uint8)).to_png_bytes(), "path": None},
            "text": f" question {number} ",
            "mask": mask,
            "image_id": f"picture{number}",
            "ann_id": f"picture{number}",
            "img_height": 4,
            "img_width": 6,
        }
        for number, mask in enumerate(masks)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=2)


LEFT_HALF = [[True] * 3 + [False] * 3] * 4


@pytest.mark.parametrize("place", ["data", "ReasonSeg_val/data", "ReasonSeg_val", ""])
def test_reasonseg_is_read_as_it_was_published_again(tmp_path, place):
    write_reasonseg_shard(tmp_path / place / "test-00000-of-00001.parquet", [LEFT_HALF] * 3)
    dataset = read_reasonseg(tmp_path, "val")
    assert [item.phrases for item in dataset.items] == [(f"question {n}",) for n in range(3)]
    assert "ignored pixels as target" in dataset.notes[0]
    dataset.check_pictures()
    last = dataset.items[2]
    assert open_picture(dataset.locate(last)).size == Size(4, 6)
    assert last.mask_truth(Size(4, 6)).target.tolist() == LEFT_HALF


def test_reasonseg_of_another_split_is_refused(tmp_path):
    write_reasonseg_shard(tmp_path / "ReasonSeg_test" / "data" / "test-0.parquet", [LEFT_HALF])
    with pytest.raises(InputError, match="holds the split 'test', not 'val'"):
        read_reasonseg(tmp_path / "ReasonSeg_test", "val")
    assert len(read_reasonseg(tmp_path / "ReasonSeg_test", "test").items) == 1


@pytest.mark.parametrize("mask", [LEFT_HALF[:3], [[True]], [[True] * 12] * 2])
def test_a_mask_in_parquet_of_another_size_is_refused(tmp_path, mask):
    write_reasonseg_shard(tmp_path / "test-0.parquet", [mask])
    item = read_reasonseg(tmp_path, "val").items[0]
    with pytest.raises(InputError, match="The mask of row 1"):
        item.mask_truth(Size(4, 6))


def test_parquet_without_the_columns_is_named(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"image": [b""]}), tmp_path / "test-0.parquet")
    with pytest.raises(InputError, match="has no column 'text', but image"):
        read_reasonseg(tmp_path, "val")
    (tmp_path / "test-0.parquet").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_reasonseg(tmp_path, "val")


def square(label: str, low: int, high: int) -> dict:
    return {"label": label, "points": [[low, low], [high, low], [high, high], [low, high]]}


def test_reasonseg_draws_the_largest_first_with_its_outline(tmp_path):
    shapes = [square("ignore_this", 4, 6), square("target", 2, 10), square("flag", 0, 19)]
    write_reasonseg_file(tmp_path, shapes)
    (item,) = read_reasonseg(tmp_path, "val").items
    truth = item.mask_truth(Size(20, 20))
    assert truth.ignore is not None
    assert truth.ignore.sum() == 9  # 4 to 6, both included: on top, though it comes first
    assert truth.target.sum() == 81 - 9
    assert item.phrases == ("café?",)


def test_reasonseg_reads_cp1252(tmp_path):
    write_reasonseg_file(tmp_path, [square("target", 2, 10)], "cp1252")
    assert read_reasonseg(tmp_path, "val").items[0].phrases == ("café?",)


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'{"text": [], "shapes": []}', b'{"text": "a", "shapes": []}', b"\x81\x00",
     b'{"text": ["a"], "shapes": [{"label": "x", "points": [["a", 1]]}]}'],
)  # fmt: skip
def test_a_damaged_file_is_skipped_with_its_reason(tmp_path, content):
    write_reasonseg_file(tmp_path, [square("target", 2, 10)])
    (tmp_path / "val" / "b.json").write_bytes(content)
    dataset = read_reasonseg(tmp_path, "val")
    assert len(dataset.items) == 1
    assert "b.json" in dataset.skipped[0]


@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.parametrize("content", [b"", b"null", b'{"images": 3}', b"[[[", b"\xff\xfe", b"[1]"])
def test_damage_never_gives_a_traceback(stand_ins, tmp_path, name, content):
    benchmark, folder, split = stand_ins[name]
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    for path in names:
        is_annotation = path.suffix not in (".jpg", ".tif", ".png")
        (tmp_path / path.parent).mkdir(parents=True, exist_ok=True)
        if is_annotation:
            (tmp_path / path).write_bytes(content)
    (tmp_path / "masks").mkdir(exist_ok=True)
    with pytest.raises(InputError):
        benchmark.read(tmp_path, split, None)


def test_phrasecut_cuts_corners_to_pixels_and_draws_the_outline(stand_ins, tmp_path):
    _, folder, _ = stand_ins["phrasecut"]
    task = json.loads((folder / "refer_miniv.json").read_text())[0]
    task["Polygons"] = [[[[1.9, 1], [4.9, 1.2], [4, 3], [1, 3]]], [[[7, 7]]]]
    (tmp_path / "refer_miniv.json").write_text(json.dumps([task]))
    dataset = BENCHMARKS.load("phrasecut").read(tmp_path, "miniv", folder / "images")
    truth = dataset.items[0].mask_truth(Size(10, 10))
    assert truth.target.sum() == 4 * 3
    assert truth.target[1:4, 1:5].all()


def test_refcoco_tells_pixels_of_two_polygons_of_one_object(stand_ins, tmp_path):
    _, folder, _ = stand_ins["refcoco"]
    document = json.loads((folder / "refcoco" / "instances.json").read_text())
    square, other = [2, 2, 8, 2, 8, 8, 2, 8], [5, 2, 11, 2, 11, 8, 5, 8]
    document["annotations"][0]["segmentation"] = [square, other]
    (tmp_path / "instances.json").write_text(json.dumps(document))
    (tmp_path / "refs(unc).p").write_bytes((folder / "refcoco" / "refs(unc).p").read_bytes())
    dataset = read_refer_set(tmp_path, "refcoco", "val", "unc", folder / "images" / "train2014")
    truth = dataset.items[0].mask_truth(Size(480, 640))
    assert truth.overlap is not None
    assert (truth.target.sum(), truth.overlap.sum()) == (9 * 6, 3 * 6)


def test_refsegrs_takes_values_above_50(stand_ins, tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        values = np.array([[0, 50, 51, 255]], np.uint8)
        PIL.Image.fromarray(values).save(tmp_path / name / "7.tif")
    (tmp_path / "output_phrase_test.txt").write_text("7 road marking\n\n8 no such picture\n9\n")
    dataset = BENCHMARKS.load("refsegrs").read(tmp_path, "test", None)
    (item,) = dataset.items
    assert item.phrases == ("road marking",)
    assert item.mask_truth(Size(1, 4)).target.tolist() == [[False, False, True, True]]
    assert len(dataset.skipped) == 2


def test_ref_l4_all_is_val_and_test(stand_ins, tmp_path):
    pytest.importorskip("pyarrow")
    _, folder, _ = stand_ins["ref-l4"]
    for part in ("val", "test"):
        (tmp_path / f"ref-l4-{part}.parquet").write_bytes(
            (folder / "ref-l4-val.parquet").read_bytes()
        )
    dataset = BENCHMARKS.load("ref-l4").read(tmp_path, "all", folder / "images")
    assert len({item.id for item in dataset.items}) == 80, "equal ids are told apart"
