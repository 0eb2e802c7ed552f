"""What the package bundles: weights of three tiny models, sample scenes and a demonstration."""
