"""Mistakes that a type checker must find: one a line, marked."""

import segue

assistant = segue.load("embedded", route="bx")  # wrong
assistant = segue.load("embedded", dtype=32)  # wrong
conversation = assistant.open(7)  # wrong
answer = conversation.ask("where?", route="boxes")  # wrong
answer = conversation.ask(b"where?")  # wrong
name: int = answer.text  # wrong
answer.draw().sve("overlay.png")  # wrong
regions = assistant.segment("a.png", boxes="1,2,3,4")  # wrong
region = conversation.add_region(box=7)  # wrong
segue.Box(1, 2, 3)  # wrong
segue.Sampling(temprature=1)  # wrong
