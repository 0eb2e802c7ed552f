"""Fine-tuning: conversations in, an adapter or a model out.

`recipe.py` are the settings, `pupil.py` what differs between families of models, `train.py` the
run, `merge.py` what makes one model of a base and an adapter.
"""
