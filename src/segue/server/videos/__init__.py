"""Films that people brought, and what was followed in them."""
