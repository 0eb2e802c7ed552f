"""Drawn scenes with the truth of every pixel: sprites, backgrounds, clutter. No torch."""
