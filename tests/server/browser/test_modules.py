"""The page's modules that need no server, in a real browser, against the Python they mirror."""

import re
from pathlib import Path

import numpy as np
import pytest

from segue.draw.palette import contrast_colour, palette, shade
from segue.values.box import Size
from segue.values.mask import Mask, rle
from segue.values.mask.contour import Polygon

PAGE = Path(__file__).parents[3] / "src" / "segue" / "server" / "page"
CASES = {
    "empty": np.zeros((5, 7), bool),
    "full": np.ones((4, 3), bool),
    "one pixel": np.eye(1, 12, 7, dtype=bool).reshape(3, 4),
    "first pixel": np.eye(1, 6, 0, dtype=bool).reshape(2, 3),
    "last row": np.arange(12).reshape(3, 4) > 7,
    "one column": np.arange(12).reshape(4, 3) % 3 == 1,
}
for seed, (height, width) in enumerate([(1, 9), (9, 1), (17, 23), (64, 48)]):
    CASES[f"noise {height}x{width}"] = np.random.default_rng(seed).random((height, width)) < 0.4
_y, _x = np.mgrid[:90, :120]
CASES["ring"] = ((_x - 50) ** 2 + (_y - 40) ** 2 < 900) & ((_x - 50) ** 2 + (_y - 40) ** 2 > 300)

READ = """async (cases) => {
  const { Mask } = await import("/page/js/rle.js");
  return cases.map((rle) => {
    const mask = new Mask(rle);
    const rows = [];
    for (let y = -1; y <= mask.height; y++)
      rows.push(Array.from({ length: mask.width + 2 }, (_, x) => Number(mask.has(x - 1, y))));
    return { area: mask.area, rows, box: [mask.x0, mask.y0, mask.x1, mask.y1] };
  });
}"""


def test_masks_are_read_pixel_by_pixel(modules):
    answers = modules.evaluate(READ, [rle.encode(array) for array in CASES.values()])
    for (name, array), answer in zip(CASES.items(), answers, strict=True):
        assert (np.array(answer["rows"], bool) == np.pad(array, 1)).all(), name
        assert answer["area"] == array.sum(), name
        if array.any():
            rows, columns = np.nonzero(array)
            edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert answer["box"] == edges, name


def test_a_list_of_counts_is_read_as_well(modules):
    counts = [int(count) for count in rle.counts_of(CASES["ring"])]
    (answer,) = modules.evaluate(READ, [{"size": [90, 120], "counts": counts}])
    assert (np.array(answer["rows"], bool) == np.pad(CASES["ring"], 1)).all()


@pytest.mark.parametrize(
    ("mask", "trouble"),
    [
        ({"size": [2, 2], "counts": "4"}, None),
        ({"size": [2, 2], "counts": "P"}, "inside a number"),
        ({"size": [2, 2], "counts": "~"}, "strange character"),
        ({"size": [2, 2], "counts": [3]}, "do not add up"),
        ({"size": [2, 2], "counts": [9]}, "exceed"),
        ({"size": [2, 2], "counts": [-1, 5]}, "negative"),
        ({"size": [2**20, 2**20], "counts": [2**40]}, "strange size"),
        ({"size": [0, 3], "counts": []}, "strange size"),
    ],
)
def test_a_damaged_mask_is_refused(modules, mask, trouble):
    refused = modules.evaluate(
        """async (rle) => {
          const { Mask } = await import("/page/js/rle.js");
          try { new Mask(rle); return null; } catch (error) { return error.message; }
        }""",
        mask,
    )
    assert refused is None if trouble is None else trouble in refused


def test_masks_are_written_as_they_were_read(modules):
    written = modules.evaluate(
        """async (cases) => {
          const { Mask, rleOf } = await import("/page/js/rle.js");
          return cases.map((rle) => {
            const mask = new Mask(rle);
            const wide = { width: mask.width, height: mask.height, x0: 0, y0: 0,
              boxWidth: mask.width, boxHeight: mask.height,
              bits: new Uint8Array(mask.width * mask.height) };
            for (let y = 0; y < mask.height; y++)
              for (let x = 0; x < mask.width; x++) wide.bits[y * mask.width + x] = mask.has(x, y);
            return [rleOf(mask), rleOf(wide), rleOf(Mask.ofBits(wide))];
          });
        }""",
        [rle.encode(array) for array in CASES.values()],
    )
    for (name, array), found in zip(CASES.items(), written, strict=True):
        assert found == [rle.encode(array)] * 3, name


def test_a_polygon_is_filled_by_the_centres_of_pixels(modules):
    rings = [[[3.2, 2.1], [40.7, 5.5], [33.3, 44.4], [10, 30.5]], [[15, 12], [25, 12], [20, 25]]]
    filled_rle = modules.evaluate(
        """async (loops) => {
          const { MaskGrid } = await import("/page/js/review/mask_grid.js");
          const { rleOf } = await import("/page/js/rle.js");
          const grid = new MaskGrid(48, 50);
          grid.fill(loops);
          return rleOf(grid.toMask());
        }""",
        rings,
    )
    outer, hole = (tuple(map(tuple, ring)) for ring in rings)
    expected = Mask.from_polygons([Polygon(outer, (hole,))], Size(50, 48))
    assert Mask.from_rle(filled_rle) == expected


def test_corners_keep_a_shape_within_their_tolerance(modules):
    array = CASES["ring"]
    loops, filled_rle = modules.evaluate(
        """async (rle) => {
          const { Mask, rleOf } = await import("/page/js/rle.js");
          const { cornersOf } = await import("/page/js/review/corners.js");
          const { MaskGrid } = await import("/page/js/review/mask_grid.js");
          const loops = cornersOf(new Mask(rle), 1);
          const grid = new MaskGrid(120, 90);
          grid.fill(loops);
          return [loops, rleOf(grid.toMask())];
        }""",
        rle.encode(array),
    )
    assert len(loops) == 2
    assert sum(map(len, loops)) < 60
    assert Mask.from_rle(filled_rle).iou(Mask(array)) > 0.95


def test_tiles_show_exactly_the_pixels_of_masks_and_follow_changes(modules):
    cases = ["ring", "noise 64x48"]
    for name in cases:
        array = CASES[name]
        seen = modules.evaluate(
            """async (rle) => {
              const { Mask } = await import("/page/js/rle.js");
              const { TileLayer, pixelOf } = await import("/page/js/review/tiles.js");
              const mask = new Mask(rle);
              const { width, height } = mask;
              const view = { transform: { scale: 1, toPicture: (x, y) => [x, y] }, density: 1,
                frame: { width, height }, picture: { width, height } };
              const layer = new TileLayer();
              const look = () => {
                const canvas = new OffscreenCanvas(width, height);
                const context = canvas.getContext("2d");
                while (!layer.paint(context, view)) context.clearRect(0, 0, width, height);
                const { data } = context.getImageData(0, 0, width, height);
                return Array.from({ length: width * height }, (_, i) => data[4 * i + 3] > 0);
              };
              const colour = pixelOf([255, 0, 0], 1);
              layer.setShapes([{ id: "a", mask, fill: colour, line: colour }]);
              const before = look();
              layer.setShapes([]);
              return [before, look()];
            }""",
            rle.encode(array),
        )
        assert (np.array(seen[0]).reshape(array.shape) == array).all(), name
        assert not any(seen[1])


def test_classes_have_colours_of_their_own(modules):
    colours = modules.evaluate(
        """async () => {
          const { classColour } = await import("/page/js/palette.js");
          return Array.from({ length: 35 }, (_, number) => classColour(number));
        }"""
    )
    assert len({tuple(colour) for colour in colours}) == 35


def test_outlines_enclose_exactly_the_pixels_of_the_mask(modules):
    loops = modules.evaluate(
        """async (cases) => {
          const { Mask } = await import("/page/js/rle.js");
          const { loopsOf } = await import("/page/js/outline.js");
          return cases.map((rle) => loopsOf(new Mask(rle)));
        }""",
        [rle.encode(array) for array in CASES.values()],
    )
    for (name, array), found in zip(CASES.items(), loops, strict=True):
        assert (filled(found, array.shape) == array).all(), name


def filled(loops: list[list[int]], shape: tuple[int, int]) -> np.ndarray:
    """Pixels with an odd number of vertical edges on their left: the even-odd rule."""
    crossings = np.zeros((shape[0], shape[1] + 1), int)
    for loop in loops:
        corners = np.array(loop).reshape(-1, 2)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
            assert x0 == x1 or y0 == y1, "an outline runs along the borders of pixels"
            if x0 == x1:
                crossings[min(y0, y1) : max(y0, y1), x0] += 1
    return crossings[:, :-1].cumsum(1) % 2 == 1


def test_colours_are_those_of_drawn_pictures(modules):
    phrases = ["cat", "dog", "Cat ", "", "飞机", "the  red cup", "b", "c", "d", "e", "cat"]
    regions = [{"id": f"r{n}", "phrase": phrase} for n, phrase in enumerate(phrases)]
    looks = modules.evaluate(
        """async (regions) => {
          const { looksOf, contrasting } = await import("/page/js/palette.js");
          const looks = looksOf(regions);
          return regions.map(({ id }) => looks.get(id))
            .map((look) => ({ ...look, ink: contrasting(look.line) }));
        }""",
        regions,
    )
    colours = palette(phrases)
    assert [tuple(look["fill"]) for look in looks] == [colours[phrase] for phrase in phrases]
    cats = [looks[0], looks[2], looks[10]]
    assert [look["number"] for look in cats] == [1, 2, 3]
    assert [tuple(look["line"]) for look in cats] == [shade(colours["cat"], n) for n in range(3)]
    for look in looks:
        assert tuple(look["ink"]) == contrast_colour(tuple(look["line"]))


def test_zooming_keeps_the_point_under_the_mouse_in_its_place(modules):
    before, after, fitted = modules.evaluate(
        """async () => {
          const { Transform } = await import("/page/js/transform.js");
          const view = new Transform();
          const frame = { width: 800, height: 600 };
          view.fit({ width: 640, height: 480 }, frame);
          const fitted = [view.toFrame(0, 0), view.toFrame(640, 480)].flat();
          const before = view.toPicture(123, 456);
          view.zoom(3.7, 123, 456);
          return [before, view.toPicture(123, 456), fitted];
        }"""
    )
    assert after == pytest.approx(before)
    assert fitted == pytest.approx([16, 12, 784, 588])


def test_spans_count_code_points_and_share_phrases(modules):
    text = "😀 两只猫 and a dog"
    regions = [
        {"id": "r1", "span": [2, 5]},
        {"id": "r2", "span": [2, 5]},
        {"id": "r3", "span": [12, 15]},
        {"id": "r4", "span": None},
        {"id": "r5", "span": [4, 9]},
        {"id": "r6", "span": [14, 99]},
    ]
    pieces, rest = modules.evaluate(
        """async ([text, regions]) => {
          const { piecesOf, withoutWords } = await import("/page/js/phrases.js");
          const pieces = piecesOf(text, regions);
          const rest = withoutWords(pieces, regions).map((region) => region.id);
          return [pieces.map(({ text, ids }) => [text, ids]), rest];
        }""",
        [text, regions],
    )
    assert pieces == [["😀 ", []], ["两只猫", ["r1", "r2"]], [" and a ", []], ["dog", ["r3"]]]
    assert rest == ["r4", "r5", "r6"]


def test_events_survive_any_cut_of_the_stream(modules):
    stream = (
        ': hello\n\nevent: text\ndata: {"text": "飞机 😀"}\n\nevent: done\r\ndata: {"n": 1}\r\n\r\n'
    )
    everywhere = modules.evaluate(
        """async (stream) => {
          const { readEvents } = await import("/page/js/event_stream.js");
          const bytes = new TextEncoder().encode(stream);
          const results = [];
          for (let cut = 0; cut <= bytes.length; cut++) {
            const body = new ReadableStream({
              start(controller) {
                controller.enqueue(bytes.slice(0, cut));
                controller.enqueue(bytes.slice(cut));
                controller.close();
              },
            });
            const events = [];
            for await (const event of readEvents(body)) events.push([event.name, event.data]);
            results.push(events);
          }
          return results;
        }""",
        stream,
    )
    expected = [["text", {"text": "飞机 😀"}], ["done", {"n": 1}]]
    assert all(events == expected for events in everywhere)


def test_both_languages_have_words_for_everything_the_page_says(modules):
    english, chinese = modules.evaluate(
        """async () => {
          const kinds = async (name) => {
            const words = (await import(`/page/js/lang/${name}.js`)).default;
            return Object.fromEntries(Object.entries(words).map(([k, v]) => [k, typeof v]));
          };
          return [await kinds("en"), await kinds("zh")];
        }"""
    )
    assert english == chinese
    sources = [file for file in PAGE.rglob("*") if file.suffix in {".js", ".html"}]
    used = set()
    for file in sources:
        text = file.read_text("utf-8")
        used |= set(re.findall(r'\bt\("([\w.-]+)"', text))
        used |= set(re.findall(r'data-(?:words|label|placeholder)="([\w.-]+)"', text))
    assert used <= set(english), used - set(english)


def test_the_page_loads_nothing_from_elsewhere():
    for file in PAGE.rglob("*"):
        if file.suffix not in {".js", ".html", ".css"}:
            continue
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"""["'(](https?:)?//""", text), file.name
        assert not re.search(r"""\son\w+=|style=["']|javascript:|<style|eval\(""", text), file.name


@pytest.mark.parametrize(
    ("scale", "left", "top"), [(1, 0, 0), (5.3, -20.5, -9.25), (40, -400, -100)]
)
def test_masks_are_painted_on_exactly_their_pixels_at_any_zoom(modules, scale, left, top):
    mask = CASES["noise 17x23"]
    painted = modules.evaluate(
        """async ([rle, scale, left, top]) => {
          const { Mask } = await import("/page/js/rle.js");
          const { paint } = await import("/page/js/drawing.js");
          const mask = new Mask(rle);
          const white = new OffscreenCanvas(mask.width, mask.height);
          const ink = white.getContext("2d");
          ink.fillStyle = "#fff";
          ink.fillRect(0, 0, mask.width, mask.height);
          const frame = { width: 400, height: 300 };
          const canvas = new OffscreenCanvas(frame.width, frame.height);
          const context = canvas.getContext("2d", { willReadFrequently: true });
          // Without its outline, which lies on the border of the pixels and covers both sides.
          context.stroke = () => {};
          const transform = { scale, left, top, toFrame: () => [0, 0] };
          const draft = { mask, box: null, points: [], labels: [] };
          paint(context, { frame, density: 1, transform, picture: white, edited: null,
            masksShown: true, shown: [], draft, cross: null, before: 0 });
          const { data } = context.getImageData(0, 0, frame.width, frame.height);
          const seen = [];
          for (let y = 0; y < mask.height; y++) for (let x = 0; x < mask.width; x++) {
            const column = Math.floor(left + (x + 0.5) * scale);
            const row = Math.floor(top + (y + 0.5) * scale);
            if (column < 0 || row < 0 || column >= frame.width || row >= frame.height) continue;
            seen.push([x, y, data[4 * (row * frame.width + column)] < 250]);
          }
          return seen;
        }""",
        [rle.encode(mask), scale, left, top],
    )
    assert len(painted) > 20
    assert all(tinted == mask[y, x] for x, y, tinted in painted)


def test_only_a_loopback_address_is_the_machine_of_the_server(modules):
    hosts = ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "my.localhost"]
    others = ["segue.example", "192.168.0.7", "127.0.0.1.example", "localhost.example", "[::2]"]
    found = modules.evaluate(
        """async (hosts) => {
          const { isOperator } = await import("/page/js/operator.js");
          return hosts.filter((host) => isOperator(host));
        }""",
        [*hosts, *others],
    )
    assert found == hosts
