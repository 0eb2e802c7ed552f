"""The parts of which dialects are made: tags, numbers, thoughts, clean text."""
