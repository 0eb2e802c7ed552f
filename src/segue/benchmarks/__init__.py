"""The benchmarks of the field: their files, their protocols, and runs over them.

files ─► items ─► ask ─► journal ─► score ─► report
reader   one a    once   append-    protocol  table, JSON,
         phrase          only       by name   page
"""

from segue.runtime.catalog import Catalog, Entry

BENCHMARKS = Catalog(
    "benchmark",
    {
        "refcoco": Entry(
            "segue.benchmarks.refer_sets:refcoco", "RefCOCO: expressions, masks or boxes"
        ),
        "refcoco+": Entry(
            "segue.benchmarks.refer_sets:refcoco_plus", "RefCOCO+: no words of place"
        ),
        "refcocog": Entry("segue.benchmarks.refer_sets:refcocog", "RefCOCOg: longer expressions"),
        "grefcoco": Entry(
            "segue.benchmarks.refer_sets:grefcoco",
            "gRefCOCO: several targets, or none (GRES, GREC)",
        ),
        "reasonseg": Entry(
            "segue.benchmarks.reasonseg:reasonseg", "ReasonSeg: what is meant has to be reasoned"
        ),
        "ref-l4": Entry("segue.benchmarks.ref_l4:ref_l4", "Ref-L4: long expressions, boxes"),
        "coco": Entry("segue.benchmarks.detection_sets:coco", "COCO, every category by its name"),
        "lvis": Entry("segue.benchmarks.detection_sets:lvis", "LVIS v1 by name, federated AP"),
        "saco-gold": Entry(
            "segue.benchmarks.saco:saco_gold",
            "SA-Co/Gold: noun phrases, all instances or none, cgF1",
        ),
        "phrasecut": Entry(
            "segue.benchmarks.phrasecut:phrasecut", "PhraseCut: phrases and regions"
        ),
        "refsegrs": Entry("segue.benchmarks.refsegrs:refsegrs", "RefSegRS: aerial pictures"),
        "odinw13": Entry(
            "segue.benchmarks.detection_sets:odinw", "ODinW-13: thirteen small detection sets"
        ),
        "mevis": Entry(
            "segue.benchmarks.video_sets:mevis", "MeViS: motion expressions about videos"
        ),
        "ref-davis": Entry(
            "segue.benchmarks.ref_davis:ref_davis", "Ref-DAVIS: the objects of DAVIS 2017"
        ),
        "ref-youtube-vos": Entry(
            "segue.benchmarks.video_sets:ref_youtube_vos", "Ref-YouTube-VOS: training videos"
        ),
    },
)
"""Name -> benchmark; `segue benchmark list` prints them."""
