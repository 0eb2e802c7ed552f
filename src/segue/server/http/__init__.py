"""HTTP: who may call, JSON in and out, errors, server-sent events, connections."""
