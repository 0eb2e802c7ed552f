"""Videos: what is pointed at on one frame is followed through the others. `segue track`."""
