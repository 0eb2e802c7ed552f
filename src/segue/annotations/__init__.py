"""Fields of annotation files, read with an account of what could not be read."""
