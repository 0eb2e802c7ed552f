"""Evaluation: ask questions, save the predictions, compute scores from them.

questions ─► predict ─► predictions file ─► tags · boxes · masks
JSON lines   the models   raw replies,        pure functions, repeatable
             run once     boxes, masks        without a model
"""
