"""Videos: frames one after the other, and films written frame by frame."""
