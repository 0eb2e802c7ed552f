"""Recognise the dialect of a model or of a reply."""
