"""Fine-tuning: conversations in, an adapter or a model out.

`recipe.py` holds the settings, `trainable.py` the interface that each family of models implements,
`train.py` the run, and `merge.py` merges an adapter into its base.
"""
