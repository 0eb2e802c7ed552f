"""Phrase to masks, beside the libraries that people else would use, with the same networks.

    python -m benchmarks.peers bundled 20
    python -m benchmarks.peers full 5
    python -m benchmarks.peers huge 3

"bundled" takes the networks of the preset `embedded`, "full" Grounding DINO with Swin-T and SAM
ViT-B, "huge" the same with ViT-H, both with random weights. Each library runs in a process of its
own; the peers share two environments beside segue's, which are made once under the cache folder
(`environments.py`). lang-sam and the text prompts of samgeo are not among them: both load
Grounding DINO by its hub id only, so that they cannot be given weights of one's own.
"""
