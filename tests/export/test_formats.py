"""What every data set format promises, and how exactly each brings masks back."""

import json
from pathlib import Path

import numpy as np
import pytest

from builders import SIZE, a_donut_and_two_islands, a_mask, a_region, an_answer, an_image
from segue.errors import InputError, UnknownName
from segue.export import FORMATS, AnnotatedImage, annotated
from segue.export.coco import coco, read_coco, write_coco
from segue.export.cvat import read_cvat
from segue.export.geojson import read_geojson
from segue.export.label_files import label_files
from segue.export.label_studio import labelling_setup, pack, read_label_studio, unpack
from segue.export.labelme import read_labelme
from segue.export.voc import box_from_corners, corners_from_box, read_voc, write_voc
from segue.export.yolo import read_yolo, write_yolo
from segue.values.box import Box, Size
from segue.values.mask import Mask

theirs_warns = pytest.mark.filterwarnings("ignore::DeprecationWarning")
BOXES_ONLY = ("voc",)
NOISE = Mask(np.random.default_rng(0).random(SIZE) < 0.4)
PICTURES = [
    AnnotatedImage(
        "street/a.jpg",
        SIZE,
        (
            a_region("r1", "donut", mask=a_donut_and_two_islands(), score=0.5),
            a_region("r2", "飞机 & <b>"),
            a_region("r3", "donut", mask=Mask(np.ones(SIZE, bool))),
            a_region("r4", 'dot "1"', mask=a_mask(Box(63, 47, 64, 48))),
            a_region("r5", "noise", mask=NOISE),
        ),
    ),
    AnnotatedImage(
        "b.png", Size(30, 20), (a_region("r1", "box", Box(2, 3, 12.5, 20), masked=False),)
    ),
    AnnotatedImage("empty.png", Size(5, 6), ()),
]


def read(name: str, files: list[Path]) -> list[AnnotatedImage]:
    match name:
        case "coco":
            return read_coco(files[0])
        case "cvat":
            return read_cvat(files[0])
        case "label-studio":
            return read_label_studio(files[0])
        case "yolo":
            sizes = {picture.name: picture.size for picture in PICTURES}
            return read_yolo(files[0].parent, sizes)
        case "labelme":
            return [read_labelme(file) for file in files]
        case "geojson":
            return [read_geojson(file) for file in files]
        case "voc":
            return [read_voc(file) for file in files]
    raise AssertionError(f"no reader for {name}")


@pytest.fixture(scope="module", params=list(FORMATS))
def round_trip(request, tmp_path_factory):
    target = tmp_path_factory.mktemp(request.param) / "out"
    files = FORMATS.load(request.param, PICTURES, target)
    assert all(file.is_relative_to(target) and file.is_file() for file in files)
    return read(request.param, files)


def test_masks_come_back_exactly(round_trip, request):
    for before, after in zip(PICTURES[0].regions, round_trip[0].regions, strict=True):
        if request.node.callspec.params["round_trip"] in BOXES_ONLY:
            assert (after.mask, after.box) == (None, before.box)
        else:
            assert after.mask.iou(before.mask) == 1.0


def test_phrases_and_sizes_come_back(round_trip):
    assert [r.phrase for r in round_trip[0].regions] == [r.phrase for r in PICTURES[0].regions]
    assert [picture.size for picture in round_trip] == [SIZE, (30, 20), (5, 6)][: len(round_trip)]


def test_a_region_without_a_mask_keeps_its_box(round_trip):
    assert round_trip[1].regions[0].box.iou(Box(2, 3, 12.5, 20)) > 0.9


def test_names_stay_readable(round_trip):
    assert round_trip[0].name in ("street/a.jpg", "a.jpg")


def test_nothing_at_all_is_written_and_read(tmp_path):
    for name in FORMATS:
        assert FORMATS.load(name, [], tmp_path / name / "x") is not None


def test_unknown_formats_are_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'coco'"):
        FORMATS.load("cocoo")


@pytest.mark.parametrize(
    "reader",
    [
        read_coco,
        read_cvat,
        read_label_studio,
        read_labelme,
        read_geojson,
        read_voc,
    ],
)
@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]x",
        "[1]",
        "{}",
        '{"images": [{"id": 1}]}',
        "<a>",
        '{"shapes": 3}',
        "[" * 100_000,
        '<!DOCTYPE x [<!ENTITY a "b">]><annotations/>',
        "<annotations><image/></annotations>",
    ],
)
def test_garbage_is_refused_with_the_files_name(tmp_path, reader, content):
    file = tmp_path / "garbage.txt"
    file.write_text(content)
    with pytest.raises(InputError, match=r"garbage\.txt"):
        reader(file)
    with pytest.raises(InputError, match="Cannot read"):
        reader(tmp_path / "missing")


def test_coco_keeps_ids_scores_boxes_and_who_found_it(tmp_path):
    pictures = read_coco(write_coco(PICTURES, tmp_path / "a.json")[0])
    assert pictures[0].regions[0] == PICTURES[0].regions[0]
    assert pictures[1].regions[0] == PICTURES[1].regions[0]
    assert [picture.name for picture in pictures] == ["street/a.jpg", "b.png", "empty.png"]


def test_coco_numbers_run_through_all_pictures():
    document = coco(PICTURES)
    assert [a["id"] for a in document["annotations"]] == [1, 2, 3, 4, 5, 6]
    assert [a["image_id"] for a in document["annotations"]] == [1, 1, 1, 1, 1, 2]
    names = [category["name"] for category in document["categories"]]
    assert names == ["donut", "飞机 & <b>", 'dot "1"', "noise", "box"]
    assert document["annotations"][5]["bbox"] == [2, 3, 10.5, 17]
    json.dumps(document)


@theirs_warns
def test_coco_polygons_with_seams_are_exact_here_and_in_the_coco_tools(tmp_path):
    file = write_coco(PICTURES[:1], tmp_path / "a.json", polygons=True)[0]
    for before, after in zip(PICTURES[0].regions, read_coco(file)[0].regions, strict=True):
        assert after.mask == before.mask
    tools = pytest.importorskip("pycocotools.mask")
    for before, entry in zip(PICTURES[0].regions, json.loads(file.read_text())["annotations"]):
        theirs = tools.decode(tools.merge(tools.frPyObjects(entry["segmentation"], *SIZE)))
        assert (theirs.astype(bool) == before.mask.array).all()


@theirs_warns
def test_coco_files_load_in_the_coco_tools(tmp_path, capsys):
    tools = pytest.importorskip("pycocotools.coco")
    index = tools.COCO(str(write_coco(PICTURES, tmp_path / "a.json")[0]))
    masks = [index.annToMask(index.anns[n]).astype(bool) for n in range(1, 6)]
    for region, mask in zip(PICTURES[0].regions, masks, strict=True):
        assert (region.mask.array == mask).all()


def test_coco_with_a_mask_of_another_size_is_refused(tmp_path):
    document = coco(PICTURES[:1])
    document["images"][0]["width"] = 63
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="annotation 1: its mask is of"):
        read_coco(tmp_path / "a.json")


def test_yolo_files_have_the_usual_layout(tmp_path):
    files = write_yolo(PICTURES, tmp_path)
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        "data.yaml",
        "labels/street/a.txt",
        "labels/b.txt",
        "labels/empty.txt",
    ]
    assert '  1: "飞机 & <b>"' in files[0].read_text(encoding="utf-8")
    number, *corners = files[2].read_text().split()
    assert (number, len(corners)) == ("4", 8)
    assert all(0 <= float(value) <= 1 for value in corners)


VOC_BOXES = [Box(0, 0, 64, 48), Box(63, 47, 64, 48), Box(2, 3, 3, 9), Box(0, 0, 1, 1)]


@pytest.mark.parametrize("box", VOC_BOXES)
def test_voc_counts_pixels_from_one_and_the_last_one_in(tmp_path, box):
    corners = corners_from_box(box, SIZE)
    assert corners == (box.x0 + 1, box.y0 + 1, box.x1, box.y1)
    assert box_from_corners(*corners) == box
    picture = AnnotatedImage("a.png", SIZE, (a_region("r1", "cat", box, masked=False),))
    (file,) = write_voc([picture], tmp_path)
    assert f"<xmin>{box.x0 + 1}</xmin>" in file.read_text()
    assert f"<xmax>{box.x1}</xmax>" in file.read_text()
    assert read_voc(file).regions[0].box == box


def test_voc_boxes_grow_to_whole_pixels_and_end_at_the_border(tmp_path):
    assert corners_from_box(Box(2.5, 3.9, 3.1, 4.0), SIZE) == (3, 4, 4, 4)
    assert corners_from_box(Box(-5, -5, 70, 70), SIZE) == (1, 1, 64, 48)
    outside = a_region("r1", "cat", Box(70, 0, 80, 9), masked=False)
    (file,) = write_voc([AnnotatedImage("a.png", SIZE, (outside,))], tmp_path)
    assert read_voc(file).regions == ()


def test_voc_files_have_the_usual_layout_and_escaped_names(tmp_path):
    files = write_voc(PICTURES, tmp_path)
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        "Annotations/street/a.xml",
        "Annotations/b.xml",
        "Annotations/empty.xml",
    ]
    text = files[0].read_text(encoding="utf-8")
    assert "<filename>street/a.jpg</filename>" in text
    assert "<name>飞机 &amp; &lt;b&gt;</name>" in text
    assert "<width>64</width>" in text


def test_label_files_never_leave_their_folder_or_collide():
    names = ["../../etc/x.png", "/abs/x.png", "a.png", "A.png", "..", "C:\\pics\\y.png"]
    pictures = [AnnotatedImage(name, SIZE) for name in names]
    assert label_files(pictures) == [
        "etc/x.txt",
        "abs/x.txt",
        "a.txt",
        "A.txt",
        "picture.txt",
        "pics/y.txt",
    ]


def test_brushes_pack_and_unpack_any_bytes():
    rng = np.random.default_rng(0)
    for length, high in [(1, 256), (70_000, 1), (500, 2), (300, 256)]:
        values = rng.integers(0, high, length).astype(np.uint8)
        packed = pack(values)
        assert (unpack(packed, length) == values).all()
    with pytest.raises(InputError, match="ends early"):
        unpack(packed[:-3], 300)
    with pytest.raises(InputError, match="expected 7"):
        unpack(packed, 7)


def test_one_by_one_blocks_of_a_brush_are_read():
    header = f"{3:032b}{7:05b}" + "".join(f"{n:04b}" for n in (2, 3, 7, 15))
    bits = header + "0" + "00" + "010" + "".join(f"{v:08b}" for v in (9, 8, 7))
    bits += "0" * (-len(bits) % 8)
    packed = [int(bits[n : n + 8], 2) for n in range(0, len(bits), 8)]
    assert unpack(packed, 3).tolist() == [9, 8, 7]


def test_the_label_studio_setup_names_every_label():
    setup = labelling_setup(PICTURES)
    assert setup.count("<Label ") == 10
    assert "飞机 &amp; &lt;b&gt;" in setup


def test_answers_become_pictures_with_their_own_regions():
    first, second = an_image(name="a.png"), an_image(seed=1, name="a.png")
    one = an_answer([a_region("r1", image=0)], [first])
    two = an_answer([a_region("r2", image=1), a_region("r3", image=0)], [first, second])
    pictures = annotated([one, two])
    assert [picture.name for picture in pictures] == ["a.png", "a-2.png"]
    assert [[r.id for r in picture.regions] for picture in pictures] == [["r1", "r3"], ["r2"]]
    assert annotated([an_answer(images=[an_image(name="")])])[0].name == "image.png"
