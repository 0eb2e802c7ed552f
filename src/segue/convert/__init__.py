"""Existing data sets -> training conversations with boxes and the `<gsam>` tag.

    records ─► a reader (llava_plus, coco, refer) ─► Dialogue ─► dataset ─► formats
               one record or its reason to drop     neutral      split, dedup  what trainers read

Nothing here runs a model.
"""
