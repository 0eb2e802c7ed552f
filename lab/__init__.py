"""The training lab of the embedded models: their scenes, training and evaluation.

It is run from the root of the repository (`python -m lab --help`) and is not part of the
installed package. What it trains is shipped in `segue.embedded`.
"""
