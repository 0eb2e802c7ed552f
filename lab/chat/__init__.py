"""The embedded chat model: data, both stages of its training, evaluation."""
