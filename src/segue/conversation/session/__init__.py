"""A conversation as a folder: `session.json` and the pictures, named by their content.

The file keeps what was said and what came of it: raw replies, regions with masks as COCO RLE, what
the user changed, all steps that can be undone or redone, the models' names and the version.
`write.py` writes it; `read.py` opens it, to resume the conversation; `segue.assistant.replay` reads
the raw replies again with today's detector and segmenter.
"""
