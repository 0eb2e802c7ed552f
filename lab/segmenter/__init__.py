"""The embedded segmenter, a small SAM: data, training, evaluation."""
