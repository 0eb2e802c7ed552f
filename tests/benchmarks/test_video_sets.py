import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import segue
from segue.benchmarks import BENCHMARKS
from segue.benchmarks.demo_videos import demo_clips
from segue.benchmarks.distortion import distortion_levels
from segue.benchmarks.page import page
from segue.benchmarks.ref_davis import read_ref_davis
from segue.benchmarks.respondent import ItemRespondent
from segue.benchmarks.run import BenchmarkRun, Shard
from segue.benchmarks.video_sets import read_mevis, read_ref_youtube_vos
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.errors import InputError
from segue.segment.box_fill import BoxFill
from segue.trackers.box_following import BoxTracker
from segue.values.box import Size


@pytest.fixture(scope="module")
def mevis(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mevis")
    BENCHMARKS.load("mevis").write_demo(folder)
    return folder


@pytest.fixture(scope="module")
def davis(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("davis")
    BENCHMARKS.load("ref-davis").write_demo(folder)
    return folder


def copy_mevis(source: Path, target: Path) -> tuple[dict, dict]:
    """The documents of the stand-in, whose pictures are linked into another folder."""
    (target / "valid_u").mkdir()
    (target / "valid_u" / "JPEGImages").symlink_to(source / "valid_u" / "JPEGImages")
    names = ("meta_expressions.json", "mask_dict.json")
    return tuple(json.loads((source / "valid_u" / name).read_text()) for name in names)


def write_mevis(folder: Path, meta: dict, masks: dict) -> None:
    (folder / "valid_u" / "meta_expressions.json").write_text(json.dumps(meta))
    (folder / "valid_u" / "mask_dict.json").write_text(json.dumps(masks))


def test_mevis_has_single_targets_several_and_none(mevis):
    dataset = read_mevis(mevis, "valid_u")
    assert dataset.counts == {"videos": 4, "expressions": 15}
    categories = [item.category for item in dataset.items]
    assert {name: categories.count(name) for name in set(categories)} == {
        "one target": 8, "several targets": 3, "no target": 4,
    }  # fmt: skip


def test_mevis_decodes_a_frame_and_takes_null_for_hidden(mevis, tmp_path):
    meta, masks = copy_mevis(mevis, tmp_path)
    masks["0"][3] = None
    write_mevis(tmp_path, meta, masks)
    item = read_mevis(tmp_path, "valid_u").items[0]
    clip = next(demo_clips())
    truth = item.video_truth(clip.frames[0].size)
    assert (truth.read_frame(2)[0] == clip.frames[2].objects[0].mask.array).all()
    assert not truth.read_frame(3).any()


def test_mevis_skips_what_makes_no_sense_and_names_it(mevis, tmp_path):
    meta, masks = copy_mevis(mevis, tmp_path)
    first, second, third, fourth = meta["videos"].values()
    first["expressions"]["0"]["anno_id"] = [99]
    second["expressions"]["0"]["exp"] = " "
    third["frames"] = []
    fourth["frames"] = fourth["frames"][:4]
    write_mevis(tmp_path, meta, masks)
    dataset = read_mevis(tmp_path, "valid_u")
    reasons = "\n".join(dataset.skipped)
    assert "has no annotation 99" in reasons
    assert "the expression has no words" in reasons
    assert "it has no frames" in reasons
    assert "has 5 masks for 4 frames" in reasons


def test_mevis_says_that_masks_of_valid_are_on_the_server(tmp_path):
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid" / "meta_expressions.json").write_text('{"videos": {}}')
    with pytest.raises(InputError, match="are on MeViS's server alone"):
        read_mevis(tmp_path, "valid")


def test_a_video_never_leads_out_of_its_folder(mevis, tmp_path):
    meta, masks = copy_mevis(mevis, tmp_path)
    meta["videos"] = {"../../etc": next(iter(meta["videos"].values()))}
    write_mevis(tmp_path, meta, masks)
    dataset = read_mevis(tmp_path, "valid_u")
    with pytest.raises(InputError, match="leads outside its folder"):
        dataset.locate_frames(dataset.items[0])


def test_ref_davis_has_an_item_of_each_annotator(davis):
    dataset = read_ref_davis(davis, "val")
    assert dataset.counts == {"videos": 4, "expressions": 4 * 8}
    phrases = [item.phrases for item in dataset.items if item.image_id == "meadow"]
    assert phrases[:3] == [("dog", "sheep"), ("the dog", "the sheep"), ("a dog", "a sheep")]


def test_ref_davis_reads_latin_1_and_repairs_names(davis, tmp_path):
    for name in ("JPEGImages", "Annotations_unsupervised"):
        (tmp_path / "DAVIS" / name / "480p").mkdir(parents=True)
        link = tmp_path / "DAVIS" / name / "480p" / "classic-car"
        link.symlink_to(davis / "DAVIS" / name / "480p" / "airport")
    lists = tmp_path / "DAVIS" / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("classic-car\n")
    texts = tmp_path / "davis_text_annotations"
    texts.mkdir()
    line = 'clasic-car 1 "a caf\u00e9 racer"\nclasic-car x "no number"\nclasic-car 2\n'
    (texts / "Davis17_annot1.txt").write_bytes(line.encode("latin-1"))
    dataset = read_ref_davis(tmp_path, "val")
    assert dataset.items[0].phrases == ("a caf\u00e9 racer",)
    assert dataset.notes == ["Of four annotators only 1 are there."]
    assert len(dataset.skipped) == 2


def test_ref_davis_is_read_in_the_layout_of_ref_youtube_vos(davis, tmp_path):
    for name in ("JPEGImages", "Annotations_unsupervised"):
        target = tmp_path / "valid" / name.partition("_")[0]
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(davis / "DAVIS" / name / "480p", target_is_directory=True)
    published = read_ref_davis(davis, "val")
    videos: dict = {}
    for name in ("airport", "meadow"):
        own = [item for item in published.items if item.image_id == name]
        texts = [
            {"exp": item.phrases[index], "obj_id": str(index + 1)}
            for index in range(len(own[0].phrases))
            for item in own
        ]
        frames = [Path(frame).stem for frame in own[0].frame_names]
        videos[name] = {"frames": frames, "expressions": dict(enumerate(texts))}
    (tmp_path / "meta_expressions" / "valid").mkdir(parents=True)
    file = tmp_path / "meta_expressions" / "valid" / "meta_expressions.json"
    file.write_text(json.dumps({"videos": videos}))
    converted = read_ref_davis(tmp_path, "val")
    expected = [(i.id, i.phrases) for i in published.items if i.image_id in videos]
    assert [(item.id, item.phrases) for item in converted.items] == expected


def test_numbered_pictures_tell_objects_and_void(davis, tmp_path):
    dataset = read_ref_davis(davis, "val")
    item = next(item for item in dataset.items if item.image_id == "table")
    clip = next(clip for clip in demo_clips() if clip.name == "table")
    truth = item.video_truth(clip.frames[0].size)
    assert truth.objects_of_phrase == ((0,), (1,), (2,))
    assert (truth.read_frame(4)[1] == clip.frames[4].objects[1].mask.array).all()
    assert truth.read_void is not None
    assert not truth.read_void(4).any()
    with pytest.raises(InputError, match=r"its frame \(3, 4\)"):
        item.video_truth(Size(3, 4)).read_frame(0)


def test_ref_youtube_vos_without_masks_says_why(tmp_path):
    benchmark = BENCHMARKS.load("ref-youtube-vos")
    split = benchmark.write_demo(tmp_path)
    assert len(read_ref_youtube_vos(tmp_path, split).items) == 8
    (tmp_path / "train" / "Annotations").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="may be on the server of the benchmark alone"):
        read_ref_youtube_vos(tmp_path, split)


def test_a_mask_in_colours_is_refused(davis, tmp_path):
    item = read_ref_davis(davis, "val").items[0]
    colours = tmp_path / "DAVIS" / "Annotations_unsupervised" / "480p" / "airport"
    colours.mkdir(parents=True)
    PIL.Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(colours / "00000.png")
    (tmp_path / "DAVIS" / "JPEGImages").mkdir()
    (tmp_path / "DAVIS" / "ImageSets" / "2017").mkdir(parents=True)
    (tmp_path / "DAVIS" / "ImageSets" / "2017" / "val.txt").write_text("airport\n")
    (tmp_path / "davis_text_annotations").symlink_to(davis / "davis_text_annotations")
    item = read_ref_davis(tmp_path, "val").items[0]
    with pytest.raises(InputError, match="one number a pixel, got colours"):
        item.video_truth(Size(4, 4))


@pytest.fixture
def run(mevis, tmp_path) -> BenchmarkRun:
    """Of the first clip, which has an airplane, and of an expression about nothing."""
    benchmark = BENCHMARKS.load("mevis")
    return BenchmarkRun(
        benchmark=benchmark,
        dataset=benchmark.read(mevis, "valid_u", None),
        protocol=benchmark.protocol(None),
        folder=tmp_path / "run",
        limit=2,
    )


@pytest.fixture
def respondent() -> ItemRespondent:
    segmenter = BoxFill()
    table = {"airplane": [(133, 35, 445, 347, 0.9)]}
    assistant = segue.load(chat=None, detect=Fixed(table), segment=segmenter)
    return ItemRespondent(assistant, "detector", "{sent}", tracker=BoxTracker(segmenter))


def ask(run: BenchmarkRun, respondent: ItemRespondent) -> list:
    run.start(respondent)
    return list(run.ask(respondent, run.open_items(Shard()), Shard()))


def test_what_is_found_on_the_first_frame_is_followed(run, respondent):
    airplane, nothing = ask(run, respondent)
    assert {region.frame for region in airplane.regions} == {0, 1, 2, 3, 4}
    assert nothing.regions == ()
    report = run.report()
    assert report.figures["N-acc"].value == 1
    assert 0.5 < report.figures["J"].value < 1
    text = page(report)
    assert text.count("data:image/jpeg") == 6  # two items thrice: worst, median, best


def test_a_chat_model_alone_is_followed_too(run, respondent):
    reply = "<ref>airplane</ref><box>(208,73),(695,723)</box>"
    nouns = {item.phrases[0]: "There is none." for item in run.items} | {"airplane": reply}
    chat = Scripted({f"Frame {noun}.": words for noun, words in nouns.items()})
    assistant = segue.load(chat=chat, detect=None, segment=BoxFill())
    asking = replace(respondent, assistant=assistant, respondent="chat", prompt="Frame {sent}.")
    airplane, nothing = ask(run, asking)
    assert airplane.error is None
    assert {region.frame for region in airplane.regions} == {0, 1, 2, 3, 4}
    assert "<ref>airplane" in airplane.raw
    assert nothing.regions == ()


class _Late(Fixed):
    """Finds nothing until it is asked for the third time."""

    n_asked = 0

    def find(self, *arguments, **options):
        self.n_asked += 1
        return super().find(*arguments, **options) if self.n_asked > 2 else []


def test_further_frames_are_looked_at_until_something_is_found(run, respondent):
    detector = _Late({"airplane": [(100, 10, 410, 330, 0.9)]})
    assistant = segue.load(chat=None, detect=detector, segment=BoxFill())
    late = replace(respondent, assistant=assistant, n_looks=3)
    (answer,) = ask(replace(run, limit=1), late)
    assert {region.frame for region in answer.regions} == {0, 1, 2, 3, 4}, "backwards too"


def test_a_video_that_is_turned_is_answered_upright(run, respondent):
    level = distortion_levels("rotate")[1]
    turned = replace(respondent, distort_picture=level.picture, restore_region=level.restore)
    (answer,) = ask(replace(run, limit=1), turned)
    assert len({region.frame for region in answer.regions}) > 1
    assert answer.regions[0].rle["size"] == list(answer.size)


def test_videos_need_a_tracker(run, respondent):
    with pytest.raises(InputError, match="a tracker is needed"):
        run.start(replace(respondent, tracker=None))


def test_a_run_that_looks_at_other_frames_is_refused(run, respondent):
    run.start(respondent)
    with pytest.raises(InputError, match="looks: 1 there, 2 now"):
        run.start(replace(respondent, n_looks=2))


def test_a_missing_frame_fails_and_counts_as_wrong(run, respondent):
    item = run.dataset.items[0]
    names = (*item.frame_names[:-1], "airport/99999.jpg")
    run.dataset.items = [replace(item, frame_names=names)]
    (answer,) = ask(run, respondent)
    assert "99999.jpg: picture not found" in answer.error
    assert run.report().figures["J&F"].value == 0
