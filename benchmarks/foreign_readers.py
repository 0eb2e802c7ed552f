"""What `hostile_scenes.py` wrote, read by the formats' own libraries. Imports nothing of segue.

    pip install pycocotools supervision labelme label-studio-sdk shapely pyyaml
    python benchmarks/foreign_readers.py FOLDER

Names, labels, boxes and masks are compared with truth.json, pixel by pixel. Outlines of YOLO are
filled by the even-odd rule; supervision, which draws border pixels in, is asked for classes, counts
and boxes.
"""

import contextlib
import io
import json
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np


def on_one_line(label):
    return " ".join(label.replace("\u2028", " ").replace("\u0085", " ").split(" "))


class Tally:
    """Counts what was compared and what differs; shows the first few."""

    def __init__(self, name):
        self.name, self.compared, self.wrong = name, 0, []

    def equal(self, what, got, expected):
        self.compared += 1
        same = (
            np.array_equal(got, expected) if isinstance(expected, np.ndarray) else got == expected
        )
        if not same:
            self.wrong.append((what, got, expected))

    def close(self):
        print(f"{self.name:28s} {self.compared:6d} compared, {len(self.wrong)} differ")
        for what, got, expected in self.wrong[:3]:
            if isinstance(expected, np.ndarray):
                got, expected = getattr(got, "shape", got), expected.shape
            print("    ", what, repr(got)[:90], "expected", repr(expected)[:90])
        return len(self.wrong)


def coco(folder, truth, labels):
    from pycocotools.coco import COCO

    tally = Tally("COCO, pycocotools")
    with contextlib.redirect_stdout(io.StringIO()):
        index = COCO(str(folder / "coco.json"))
    names = [index.cats[n]["name"] for n in sorted(index.cats)]
    tally.equal("categories", names, [on_one_line(label) for label in labels])
    for number, picture in enumerate(truth, 1):
        tally.equal("name", index.imgs[number]["file_name"], picture["name"])
        found = index.imgToAnns[number]
        tally.equal("count", len(found), len(picture["regions"]))
        for entry, region in zip(found, picture["regions"]):
            label = on_one_line(region["label"])
            tally.equal("label", index.cats[entry["category_id"]]["name"], label)
            if region["mask"] is not None:
                mask = index.annToMask(entry).astype(bool)
                tally.equal("mask", mask, np.array(region["mask"], bool))
            else:
                x, y, w, h = entry["bbox"]
                tally.equal("box", [x, y, x + w, y + h], region["box"])
    return tally.close()


def labelme(folder, truth, labels):
    try:
        from labelme._label_file import LabelFile
    except ImportError:
        from labelme.label_file import LabelFile

    tally = Tally("LabelMe, labelme")
    for picture in truth:
        path = folder / "labelme" / (picture["name"].removesuffix(".png") + ".json")
        file = LabelFile(str(path))
        shown = Path(file.imagePath if hasattr(file, "imagePath") else file.image_path).name
        tally.equal("name", shown, picture["name"].rpartition("/")[2])
        tally.equal("count", len(file.shapes), len(picture["regions"]))
        for shape, region in zip(file.shapes, picture["regions"]):
            get = shape.get if isinstance(shape, dict) else lambda key, s=shape: getattr(s, key)
            tally.equal("label", get("label"), on_one_line(region["label"]))
            points = np.asarray(get("points"))
            if region["mask"] is None:
                tally.equal("box", points.reshape(-1).tolist(), region["box"])
                continue
            mask = np.zeros(picture["size"], bool)
            (x0, y0), (x1, y1) = points.astype(int)
            mask[y0 : y1 + 1, x0 : x1 + 1] = get("mask")
            tally.equal("mask", mask, np.array(region["mask"], bool))
    return tally.close()


def label_studio(folder, truth, labels):
    from label_studio_sdk.converter import brush

    tally = Tally("Label Studio, sdk's decoder")
    tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    for task, picture in zip(tasks, truth, strict=True):
        asked = parse_qs(urlsplit(task["data"]["image"]).query)["d"][0]
        tally.equal("name", asked, picture["name"])
        results = task["annotations"][0]["result"]
        tally.equal("count", len(results), len(picture["regions"]))
        for result, region in zip(results, picture["regions"]):
            value = result["value"]
            (label,) = value[result["type"]]
            tally.equal("label", label, on_one_line(region["label"]))
            if region["mask"] is None:
                height, width = picture["size"]
                x, y = value["x"] * width / 100, value["y"] * height / 100
                w, h = value["width"] * width / 100, value["height"] * height / 100
                box = [round(v, 6) for v in (x, y, x + w, y + h)]
                tally.equal("box", box, region["box"])
                continue
            flat = brush.decode_rle(value["rle"])
            mask = np.asarray(flat).reshape(*picture["size"], 4)[:, :, 3] > 0
            tally.equal("mask", mask, np.array(region["mask"], bool))
    return tally.close()


def geojson(folder, truth, labels):
    import shapely
    import shapely.geometry

    tally = Tally("GeoJSON, shapely")
    for picture in truth:
        path = folder / "geojson" / (picture["name"].removesuffix(".png") + ".geojson")
        document = json.loads(path.read_text(encoding="utf-8"))
        tally.equal("name", document["name"], picture["name"])
        tally.equal("count", len(document["features"]), len(picture["regions"]))
        for feature, region in zip(document["features"], picture["regions"]):
            tally.equal("label", feature["properties"]["phrase"], region["label"])
            shape = shapely.geometry.shape(feature["geometry"])
            tally.equal("valid", shape.is_valid, True)
            height, width = picture["size"]
            y, x = np.mgrid[:height, :width]
            mask = shapely.contains_xy(shape, x + 0.5, y + 0.5)
            if region["mask"] is not None:
                tally.equal("mask", mask, np.array(region["mask"], bool))
            else:
                tally.equal("box", list(shape.bounds), region["box"])
    return tally.close()


def cvat(folder, truth, labels):
    import xml.etree.ElementTree as ET

    tally = Tally("CVAT, XML and its run rule")
    root = ET.parse(folder / "cvat.xml").getroot()
    names = [entry.findtext("name") for entry in root.iter("label")]
    tally.equal("labels", names, [on_one_line(label) for label in labels])
    for image, picture in zip(root.iter("image"), truth, strict=True):
        tally.equal("name", image.get("name"), picture["name"])
        shapes = list(image)
        tally.equal("count", len(shapes), len(picture["regions"]))
        for shape, region in zip(shapes, picture["regions"]):
            tally.equal("label", shape.get("label"), on_one_line(region["label"]))
            if shape.tag == "box":
                box = [float(shape.get(side)) for side in ("xtl", "ytl", "xbr", "ybr")]
                tally.equal("box", box, region["box"])
                continue
            left, top, w, h = (int(shape.get(key)) for key in ("left", "top", "width", "height"))
            counts = [int(count) for count in shape.get("rle").split(",")]
            values = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(h, w)
            mask = np.zeros(picture["size"], bool)
            mask[top : top + h, left : left + w] = values
            tally.equal("mask", mask, np.array(region["mask"], bool))
    return tally.close()


def yolo(folder, truth, labels):
    import yaml

    tally = Tally("YOLO, yaml and even-odd fill")
    names = yaml.safe_load((folder / "yolo/data.yaml").read_text(encoding="utf-8"))["names"]
    tally.equal("names", list(names.values()), [on_one_line(label) for label in labels])
    for picture in truth:
        # ultralytics: the suffix of the picture's own path, replaced
        path = folder / "yolo" / "labels" / f"{picture['name'].rsplit('.', 1)[0]}.txt"
        rows = [line.split() for line in path.read_text().splitlines()]
        tally.equal("count", len(rows), len(picture["regions"]))
        for row, region in zip(rows, picture["regions"]):
            tally.equal("label", names[int(row[0])], on_one_line(region["label"]))
            height, width = picture["size"]
            corners = np.array(row[1:], float).reshape(-1, 2) * (width, height)
            if region["mask"] is not None:
                mask = even_odd(corners, height, width)
                tally.equal("mask", mask, np.array(region["mask"], bool))
            else:
                low, high = corners.min(0), corners.max(0)
                tally.equal("box", [round(float(v), 3) for v in (*low, *high)], region["box"])
    return tally.close()


def even_odd(corners, height, width):
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    inside = np.zeros((height, width), bool)
    for (xa, ya), (xb, yb) in zip(corners, np.roll(corners, -1, 0)):
        if ya == yb:
            continue
        crosses = (ya > y) != (yb > y)
        inside ^= crosses & (x < (xb - xa) * (y - ya) / (yb - ya) + xa)
    return inside


def supervised(folder, truth, labels):
    import supervision as sv

    tally = Tally("COCO and YOLO, supervision")
    data = sv.DetectionDataset.from_coco(
        str(folder / "labelme"), str(folder / "coco.json"), force_masks=False
    )
    tally.equal("COCO classes", data.classes, [on_one_line(label) for label in labels])
    for picture in truth:
        found = data.annotations[str(folder / "labelme" / picture["name"])]
        tally.equal("COCO count", len(found), len(picture["regions"]))
        boxes = sorted(np.round(found.xyxy).astype(int).tolist())
        expected = sorted([round(v) for v in region["box"]] for region in picture["regions"])
        tally.equal("COCO boxes", boxes, expected)
    flat = sv.DetectionDataset.from_yolo(
        str(folder / "yolo/images"), str(folder / "yolo/labels"), str(folder / "yolo/data.yaml")
    )
    tally.equal("YOLO classes", flat.classes, [on_one_line(label) for label in labels])
    for picture in truth:
        key = str(folder / "yolo/images" / picture["name"])
        if "/" in picture["name"] or key not in flat.annotations:
            continue  # supervision does not look into folders
        tally.equal("YOLO count", len(flat.annotations[key]), len(picture["regions"]))
    return tally.close()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    true = json.loads((place / "truth.json").read_text(encoding="utf-8"))
    listed = json.loads((place / "labels.json").read_text(encoding="utf-8"))
    failed = 0
    for read in (coco, labelme, label_studio, geojson, cvat, yolo, supervised):
        try:
            failed += read(place, true, listed)
        except ImportError as error:
            print(f"{read.__name__}: not compared, {error}")
    sys.exit(1 if failed else 0)
