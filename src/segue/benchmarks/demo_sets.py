"""Stand-ins of the benchmarks: twenty pictures in exactly the published format.

They show that a reader, a protocol and the models work together. Scores on them say nothing about
the real benchmarks.
"""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from segue.benchmarks.demo_pictures import (
    ABSENT_NOUNS,
    DemoPicture,
    absent_noun,
    demo_pictures,
    write_demo_picture,
)
from segue.files.atomic import write_bytes, write_json, write_picture, write_text


def coco_document(
    pictures: list[DemoPicture], names: list[str], **image_fields: Any
) -> dict[str, Any]:
    """Return a COCO instances file: polygons, boxes, areas, categories from 1.

    Args:
        pictures: what it describes.
        names: file names, one a picture.
        image_fields: further fields of every picture.
    """
    nouns = list(ABSENT_NOUNS)
    annotations: list[dict[str, Any]] = []
    for picture in pictures:
        for item in picture.objects:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": picture.number,
                    "category_id": nouns.index(item.noun) + 1,
                    "bbox": item.xywh,
                    "area": item.mask.area,
                    "iscrowd": 0,
                    "segmentation": item.rings,
                }
            )
    images = [
        {
            "id": picture.number,
            "file_name": name,
            "height": picture.size.height,
            "width": picture.size.width,
            **image_fields,
        }
        for picture, name in zip(pictures, names, strict=True)
    ]
    categories = [{"id": index + 1, "name": noun} for index, noun in enumerate(nouns)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _train2014(folder: Path, pictures: list[DemoPicture]) -> list[str]:
    """Write pictures under the names of COCO train2014, and return these."""
    names = [f"COCO_train2014_{picture.number:012}.jpg" for picture in pictures]
    for picture, name in zip(pictures, names, strict=True):
        write_demo_picture(picture, folder / "images" / "train2014" / name)
    return names


def _reference(number: int, picture: DemoPicture, ann_id: Any, category: Any, text: str) -> Any:
    sentence = {"sent": text, "raw": text, "sent_id": number, "tokens": text.split()}
    return {
        "ref_id": number,
        "ann_id": ann_id,
        "category_id": category,
        "image_id": picture.number,
        "file_name": f"COCO_train2014_{picture.number:012}_{number}.jpg",
        "split": "val",
        "sent_ids": [number],
        "sentences": [sentence],
    }


def write_refcoco(folder: Path, name: str, partition: str) -> str:
    """Write RefCOCO, RefCOCO+ or RefCOCOg: pickled references, instances, pictures of train2014."""
    pictures = list(demo_pictures())
    document = coco_document(pictures, _train2014(folder, pictures))
    by_number = {picture.number: picture for picture in pictures}
    references: list[Any] = []
    for entry in document["annotations"]:
        noun = ABSENT_NOUNS[entry["category_id"] - 1]
        picture = by_number[entry["image_id"]]
        number = len(references) + 1
        references.append(_reference(number, picture, entry["id"], entry["category_id"], noun))
    write_json(folder / name / "instances.json", document)
    write_bytes(folder / name / f"refs({partition}).p", pickle.dumps(references, protocol=2))
    return "val"


def write_grefcoco(folder: Path) -> str:
    """Write gRefCOCO: single objects, all objects of a picture, and what is not there."""
    pictures = list(demo_pictures())
    document = coco_document(pictures, _train2014(folder, pictures))
    references: list[Any] = []
    for picture in pictures:
        entries = [e for e in document["annotations"] if e["image_id"] == picture.number]
        first = entries[picture.number % len(entries)]
        noun = ABSENT_NOUNS[first["category_id"] - 1]
        category = [first["category_id"]]
        references.append(_reference(len(references) + 1, picture, [first["id"]], category, noun))
        absent = absent_noun(picture)
        references.append(_reference(len(references) + 1, picture, [-1], [-1], absent))
        if len(entries) > 1:
            nouns = " and the ".join(ABSENT_NOUNS[e["category_id"] - 1] for e in entries)
            ids, categories = [e["id"] for e in entries], [e["category_id"] for e in entries]
            references.append(_reference(len(references) + 1, picture, ids, categories, nouns))
    write_json(folder / "grefcoco" / "instances.json", document)
    write_json(folder / "grefcoco" / "grefs(unc).json", references)
    return "val"


def write_reasonseg(folder: Path) -> str:
    """Write ReasonSeg: a JSON file beside each picture; one of them in cp1252, some with ignore."""
    for picture in demo_pictures():
        item = picture.objects[0]
        stem = folder / "val" / f"{picture.number:04}"
        write_demo_picture(picture, stem.with_suffix(".jpg"))
        corners = [list(zip(ring[::2], ring[1::2], strict=True)) for ring in item.rings]
        shapes = [{"label": "target", "points": [list(c) for c in ring]} for ring in corners]
        if picture.number % 4 == 0:
            box = item.box
            top = [[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y0 + 8], [box.x0, box.y0 + 8]]
            shapes.append({"label": "ignore", "points": top})
        shapes.append({"label": "flag", "points": [[0, 0], [1, 0], [1, 1]]})
        document = {
            "shapes": shapes,
            "text": [item.noun, "never asked"],
            "is_sentence": False,
            "comment": "caf\u00e9",
        }
        encoding = "cp1252" if picture.number == 1 else "utf-8"
        text = json.dumps(document, ensure_ascii=False)
        write_bytes(stem.with_suffix(".json"), text.encode(encoding))
    return "val"


def write_coco(folder: Path) -> str:
    """Write COCO val2017: instances, and pictures under their twelve digits."""
    pictures = list(demo_pictures())
    names = [f"{picture.number:012}.jpg" for picture in pictures]
    for picture, name in zip(pictures, names, strict=True):
        write_demo_picture(picture, folder / "val2017" / name)
    write_json(folder / "annotations" / "instances_val2017.json", coco_document(pictures, names))
    return "val2017"


def write_lvis(folder: Path) -> str:
    """Write LVIS v1 val: addresses instead of file names, categories known to be absent."""
    pictures = list(demo_pictures())
    names = [f"{picture.number:012}.jpg" for picture in pictures]
    for picture, name in zip(pictures, names, strict=True):
        write_demo_picture(picture, folder / "val2017" / name)
    document = coco_document(pictures, names)
    for image, picture in zip(document["images"], pictures, strict=True):
        name = image.pop("file_name")
        image["coco_url"] = f"http://images.cocodataset.org/val2017/{name}"
        image["neg_category_ids"] = [ABSENT_NOUNS.index(absent_noun(picture)) + 1]
        # One object of five is not annotated exhaustively.
        first = ABSENT_NOUNS.index(picture.objects[0].noun) + 1
        image["not_exhaustive_category_ids"] = [first] if picture.number % 5 == 0 else []
    for number, category in enumerate(document["categories"]):
        category["frequency"] = "rcf"[number % 3]
        category["synonyms"] = [category["name"]]
    for annotation in document["annotations"]:
        del annotation["iscrowd"]  # LVIS has none
    write_json(folder / "lvis_v1_val.json", document)
    return "val"


def write_odinw(folder: Path) -> str:
    """Write two of the thirteen data sets, ten pictures each."""
    pictures = list(demo_pictures())
    for place, part in (("Raccoon/Raccoon.v2-raw.coco/test", 0), ("pothole/test", 1)):
        own = pictures[part::2]
        names = [f"picture_{picture.number}.jpg" for picture in own]
        for picture, name in zip(own, names, strict=True):
            write_demo_picture(picture, folder / place / name)
        document = coco_document(own, names)
        write_json(folder / place / "annotations_without_background.json", document)
    return "test"


def write_saco(folder: Path) -> str:
    """Write the subset "metaclip" of SA-Co/Gold: three annotators, absences, one vague pair."""
    pairs: list[tuple[DemoPicture, str]] = []
    for picture in demo_pictures():
        write_demo_picture(picture, folder / "images" / f"metaclip_{picture.number}.jpg")
        pairs.append((picture, picture.objects[picture.number % len(picture.objects)].noun))
        pairs.append((picture, absent_noun(picture)))
    for letter in "abc":
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, (picture, noun) in enumerate(pairs, 1):
            images.append(
                {
                    "id": number,
                    "file_name": f"metaclip_{picture.number}.jpg",
                    "text_input": noun,
                    "height": picture.size.height,
                    "width": picture.size.width,
                    "is_instance_exhaustive": int(number != 4),
                }
            )
            for item in picture.objects:
                # The third annotator overlooks one object.
                if item.noun == noun and not (letter == "c" and number == 1):
                    annotations.append(
                        {
                            "id": len(annotations) + 1,
                            "image_id": number,
                            "category_id": 1,
                            "bbox": item.xywh,
                            "area": item.mask.area,
                            "iscrowd": 0,
                            "segmentation": item.mask.rle,
                        }
                    )
        document = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "object"}],
        }
        write_json(folder / f"gold_metaclip_merged_{letter}_release_test.json", document)
    return "metaclip"


def write_phrasecut(folder: Path) -> str:
    """Write the split "miniv" of PhraseCut, which has twenty pictures too."""
    tasks, images = [], []
    for picture in demo_pictures():
        write_demo_picture(picture, folder / "images" / f"{picture.number}.jpg")
        images.append(
            {
                "image_id": picture.number,
                "height": picture.size.height,
                "width": picture.size.width,
                "split": "miniv",
            }
        )
        for index, item in enumerate(picture.objects):
            polygons = [
                [list(corner) for corner in zip(ring[::2], ring[1::2], strict=True)]
                for ring in item.rings
            ]
            tasks.append(
                {
                    "task_id": f"{picture.number}__{index}",
                    "image_id": picture.number,
                    "ann_ids": [index],
                    "instance_boxes": [item.xywh],
                    "Polygons": [polygons],
                    "phrase": item.noun,
                    "phrase_structure": {
                        "name": item.noun,
                        "attributes": [],
                        "relation_ids": [],
                        "relation_descriptions": [],
                        "type": "name",
                    },
                }
            )
    write_json(folder / "refer_miniv.json", tasks)
    write_json(folder / "image_data_split3000.json", images)
    return "miniv"


def write_ref_l4(folder: Path) -> str:
    """Write the split "val" of Ref-L4; as JSON where pyarrow is not installed."""
    rows: list[dict[str, Any]] = []
    for picture in demo_pictures():
        name = f"objects365_v2_{picture.number:08}.jpg"
        write_demo_picture(picture, folder / "images" / name)
        for item in picture.objects:
            rows.append(
                {
                    "id": len(rows),
                    "caption": item.noun,
                    "bbox": item.xywh,
                    "bbox_area": item.box.area,
                    "bbox_id": f"o365_{len(rows)}",
                    "ori_category_id": f"o365_{ABSENT_NOUNS.index(item.noun) + 1}",
                    "image_id": f"o365_{picture.number}",
                    "height": picture.size.height,
                    "width": picture.size.width,
                    "file_name": name,
                    "is_rewrite": False,
                    "split": "val",
                }
            )
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        write_json(folder / "ref-l4-val.json", rows)
        return "val"
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "ref-l4-val.parquet")
    return "val"


def write_refsegrs(folder: Path) -> str:
    """Write the split "test" of RefSegRS: TIFF pictures and masks, a line a phrase."""
    lines = []
    for picture in demo_pictures():
        for index, item in enumerate(picture.objects):
            name = str(picture.number * 10 + index)
            write_picture(folder / "images" / f"{name}.tif", picture.image.to_pil(), "TIFF")
            mask = PIL.Image.fromarray(item.mask.array.astype(np.uint8) * 255)
            write_picture(folder / "masks" / f"{name}.tif", mask, "TIFF")
            lines.append(f"{name} {item.noun}")
    write_text(folder / "output_phrase_test.txt", "\n".join(lines) + "\n")
    return "test"
