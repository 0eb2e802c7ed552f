"""The embedded detector, a small Grounding DINO: data, training, evaluation."""
