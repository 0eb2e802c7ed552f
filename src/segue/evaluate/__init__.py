"""How good the answers are: questions asked, predictions kept, numbers made from them.

questions ─► predict ─► predictions file ─► tags · grounding · masks
JSON lines   the models   raw replies,        pure functions; again and again,
             run once     boxes, masks         without a model
"""
