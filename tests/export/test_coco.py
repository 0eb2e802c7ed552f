"""COCO instances of other programs."""

import json

from segue.export.coco import read_coco


def test_what_a_region_cannot_hold_of_a_foreign_annotation_is_said(tmp_path):
    file = tmp_path / "instances.json"
    annotation = {
        "id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 1,
        "attributes": {"occluded": True}, "keypoints": [],
    }  # fmt: skip
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 9, "width": 9}],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [annotation, {**annotation, "id": 2, "iscrowd": 0}],
    }
    file.write_text(json.dumps(content))
    skipped: list[str] = []
    (picture,) = read_coco(file, skipped=skipped)
    assert len(picture.regions) == 2
    assert [sentence.partition(", ")[2] for sentence in skipped] == [
        "annotations: iscrowd is not kept of 1 of them: each is read as one object",
        "annotations: attributes is not kept of 2 of them",
    ]
