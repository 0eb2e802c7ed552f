"""COCO instances files: every entry is used, or named with the reason why not."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segue.convert.datasets.coco import CocoOptions, convert_coco
from segue.convert.datasets.question_templates import QuestionStyle
from segue.convert.dialogue import Dialogue
from segue.convert.entry_tally import EntryTally
from segue.convert.image_files import ImageFiles
from segue.errors import InputError

BOX = [8, 8, 16, 16]
RING = [8, 8, 24, 8, 24, 24, 8, 24]


def document(*annotations, images=("a.jpg", "b.jpg"), categories=("dog", "cup")) -> dict:
    return {
        "images": [
            {"id": n, "file_name": name, "height": 48, "width": 64}
            for n, name in enumerate(images, 1)
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(categories, 1)],
        "annotations": list(annotations),
    }


def one(id=1, image=1, category=1, **fields) -> dict:
    given = {"id": id, "image_id": image, "category_id": category, "bbox": BOX}
    return {**given, "segmentation": [RING], "iscrowd": 0, **fields}


@pytest.fixture
def convert(tmp_path, folder):
    files = ImageFiles({"": [folder(["a.jpg", "b.jpg", "c.jpg"])]})

    def run(value, **options):
        tally = EntryTally()
        file = tmp_path / "instances.json"
        file.write_text(value if isinstance(value, str) else json.dumps(value))
        wording = QuestionStyle(chinese_share=0, typo_share=0, route=options.pop("route", "box"))
        chosen = CocoOptions(question_style=wording, **{"absent_share": 0.0, **options})
        made = list(convert_coco(file, files, chosen, tally))
        counts = tally.counts_of("annotation")
        assert counts.n_read == counts.n_used + counts.n_dropped
        return made, counts

    return run


def absent_phrases(made) -> set[tuple[str, str]]:
    return {
        (dialogue.image_key, phrase.lower())
        for dialogue in made
        if isinstance(dialogue, Dialogue)
        for turn in dialogue.turns
        if turn.kind == "absent"
        for phrase in turn.phrases
    }


def test_annotations_that_share_an_id_are_all_kept(convert):
    entries = [one(1), one(2, category=2), one(1, image=2), one(2, image=2, category=2)]
    made, counts = convert(document(*entries))
    assert len(made) == 2
    assert (counts.n_used, counts.notes["id is that of another one too"]) == (4, 2)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"bbox": []}, "box or flag makes no sense"),
        ({"bbox": None}, "box or flag makes no sense"),
        ({"bbox": [1, 2, float("nan"), 4]}, "box or flag makes no sense"),
        ({"bbox": [10, 10, -5, -5]}, "box or flag makes no sense"),
        ({"bbox": [1e12, 1, 2, 2]}, "box or flag makes no sense"),
        ({"bbox": [64, 48, 9, 9]}, "box or flag makes no sense"),
        ({"iscrowd": "perhaps"}, "box or flag makes no sense"),
        ({"category_id": 99}, "category is not listed"),
        ({"image_id": 77}, "picture is not listed"),
        ({"image_id": None}, "image_id makes no sense"),
    ],
)
def test_a_damaged_annotation_is_dropped_alone_and_named(convert, damage, reason):
    made, counts = convert(document({**one(1), **damage}, one(2, category=2), one(3, image=2)))
    assert counts.reasons == {reason: 1}
    assert counts.examples[reason][0].startswith("annotation 1 of instances.json: ")
    assert counts.n_used == 2
    assert [type(item) for item in made] == [Dialogue, Dialogue]


def test_beside_a_damaged_one_the_others_of_its_category_are_not_all(convert):
    _, counts = convert(document(one(1, bbox=[]), one(2), one(3, category=2)))
    assert counts.reasons["beside a damaged one of its category"] == 1
    assert counts.n_used == 1


@pytest.mark.parametrize("ids", [("im1", "im2"), ("1", "2"), (1.0, 2.0)])
def test_ids_may_be_text_and_text_of_numbers(convert, ids):
    value = document(one(1, image=ids[0]), one(2, image=ids[1]))
    for entry, id in zip(value["images"], ids):
        entry["id"] = id
    made, counts = convert(value)
    assert (len(made), counts.n_used) == (2, 2)


def test_a_picture_id_that_two_pictures_share_is_nobodys(convert):
    value = document(one(1), one(2, image=2), images=("a.jpg", "b.jpg", "c.jpg"))
    value["images"][2]["id"] = 1
    made, counts = convert(value)
    reasons = sorted(getattr(item, "reason", "kept") for item in made)
    assert reasons == ["kept", "picture id is used twice", "picture id is used twice"]
    assert counts.reasons == {"picture id is used twice": 1}


def test_a_picture_that_is_listed_twice_has_the_annotations_of_both(convert):
    value = document(one(1), one(2, image=2, category=2), images=("a.jpg", "a.jpg"))
    made, counts = convert(value, absent_share=1.0)
    kept = next(item for item in made if isinstance(item, Dialogue))
    assert {p for turn in kept.turns for p in turn.phrases} == {"dog", "cup"}
    assert not absent_phrases(made)
    assert counts.n_used == 2


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (one(1, bbox=[]), "its box is damaged"),
        (one(1, iscrowd=1), "it is a crowd"),
        (one(1, bbox=[8, 8, 0.1, 0.1]), "it is too small to ask for"),
        (one(1, category=99), "nobody knows what it is"),
        (one(1, image=None), "nobody knows where it is"),
    ],
)
def test_what_an_entry_says_is_there_is_never_taught_as_absent(convert, entry, why):
    for seed in range(5):
        value = document(entry, categories=("dog",))
        made, _ = convert(value, absent_share=1.0, seed=seed)
        assert ("file/a.jpg", "dog") not in {(k.replace("coco/", "file/"), p)
                                             for k, p in absent_phrases(made)}, why  # fmt: skip


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("box, red", '<gsam>"box, red"</gsam>'),
        ("St. Bernard", '<gsam>"St. Bernard"</gsam>'),
        ("red\nbox ", "<gsam>red box</gsam>"),
        ("<box>red</box>", "<gsam>red</gsam>"),
        ("half \ud83d", "<gsam>half \ufffd</gsam>"),
    ],
)
def test_names_of_categories_are_one_phrase_each(convert, name, said):
    made, _ = convert(document(one(1), categories=(name,)), route="tag")
    assert made[0].turns[1].text == said
    assert "<box>" not in made[0].turns[0].text


@pytest.mark.parametrize("name", ["", " ", "…", None, "x" * 500])
def test_a_category_without_a_name_cannot_be_asked_for(convert, name):
    made, counts = convert(document(one(1), one(2, category=2), categories=(name, "cup")))
    assert counts.reasons == {"category cannot be asked for": 1}
    assert made[0].turns[1].phrases == ("cup",)


@pytest.mark.parametrize(
    "shape",
    [RING, [RING], [[[8, 8], [24, 8], [24, 24]]], [[8, 8], [24, 8], [24, 24]],
     [list(map(str, RING))], json.dumps([RING]), {"size": [48, 64], "counts": [0, 48 * 64]}],
)  # fmt: skip
def test_masks_are_read_in_every_shape_that_files_hold(convert, shape):
    made, counts = convert(document(one(1, segmentation=shape)), masks=True)
    assert made[0].turns[1].truth.mask["size"] == [48, 64]
    assert counts.n_used == 1


@pytest.mark.parametrize(
    "shape",
    [[None], "10,10", [[1, 1, 2, 2]], [[8, 8, 24, float("nan"), 24, 24]], [[8, 8, 1e9, 8, 24, 24]],
     {"size": [48, 64], "counts": [810, 40]}, {"size": [100000, 100000], "counts": [0, 10**10]}, 3],
)  # fmt: skip
def test_masks_that_make_no_sense_drop_their_category_with_the_reason(convert, shape):
    entries = one(1, segmentation=shape), one(2, category=2)
    _, counts = convert(document(*entries), masks=True)
    assert counts.reasons == {"a mask of its category makes no sense": 1}
    assert counts.n_used == 1


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 5),
    st.sampled_from([2**63, 1e308, "1", "x", "\ud83d"]),
    st.floats(), st.just([]), st.just(BOX), st.just([RING]), st.just({}),
)  # fmt: skip
KEYS = st.sampled_from(
    ["id", "image_id", "category_id", "bbox", "segmentation", "iscrowd", "name", "file_name",
     "width"]
)  # fmt: skip
DAMAGE = st.lists(st.tuples(st.integers(0, 8), KEYS, VALUES), max_size=6)


@given(DAMAGE, st.booleans(), st.sampled_from(["box", "tag"]))
@settings(max_examples=150, deadline=None)
def test_whatever_is_damaged_every_entry_is_accounted_for(tmp_path_factory, damage, masks, route):
    place = tmp_path_factory.mktemp("instances")
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (64, 48)).save(place / name)
    value = document(one(1), one(2, category=2), one(3, image=2), one(4, image=2, category=2))
    entries = [*value["images"], *value["categories"], *value["annotations"]]
    for number, key, replacement in damage:
        entries[number % len(entries)][key] = replacement
    (place / "x.json").write_text(json.dumps(value))
    tally = EntryTally()
    options = CocoOptions(
        absent_share=1.0, masks=masks, question_style=QuestionStyle(route=route, typo_share=0)
    )
    made = list(convert_coco(place / "x.json", ImageFiles({"": [place]}), options, tally))
    for counts in tally.kinds.values():
        assert counts.n_read == counts.n_used + counts.n_dropped
    assert tally.counts_of("annotation").n_read == 4
    for picture, phrase in absent_phrases(made):
        assert (picture, phrase) not in claims(value)


def claims(value) -> set[tuple[str, str]]:
    """(picture, category) that the file says are there, read as simply as can be."""
    pictures = {str(one["id"]): one["file_name"] for one in value["images"]}
    categories = {str(one["id"]): one["name"] for one in value["categories"]}
    found = set()
    for entry in value["annotations"]:
        picture, category = str(entry["image_id"]), str(entry["category_id"])
        if picture in pictures and category in categories:
            found.add((f"coco/{pictures[picture]}", str(categories[category]).lower()))
    return found


def test_the_order_of_the_lists_does_not_matter(convert):
    value = document(one(1), one(2, image=2, category=2))
    first, _ = convert(value)
    turned, counts = convert({key: value[key] for key in ("annotations", "categories", "images")})
    assert (turned, counts.n_used) == (first, 2)


@pytest.mark.parametrize("key", ["images", "categories", "annotations"])
def test_a_list_that_comes_twice_is_refused(convert, key):
    value = document(one(1))
    text = json.dumps(value)[:-1] + f', "{key}": {json.dumps(value[key])}}}'
    with pytest.raises(InputError, match=f"holds the list '{key}' twice"):
        convert(text)


@pytest.mark.parametrize("text", ['{"images": [', '{"images": [{}]', '{"images" 3}', "{} x", "{,}"])
def test_a_file_that_was_cut_off_is_refused(convert, text):
    with pytest.raises(InputError, match="is not JSON"):
        convert(text)
