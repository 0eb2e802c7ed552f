"""Networks written here because no installed library has them. One folder per network."""
