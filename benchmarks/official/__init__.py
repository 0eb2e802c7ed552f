"""What this package gives to networks, compared with the official processors of transformers."""
