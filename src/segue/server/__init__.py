"""One model, many users: HTTP routes, the queue before the model, and the web page.

    app.py            puts a server together, and runs it
    settings.py       what a server is started with
    worker.py         the queue and the one thread that owns the models
    completion.py     one chat completion, whole or in chunks
    metrics.py        counters for Prometheus
    disk_errors.py    errors of the disk as sentences
    http/             keys and limits, JSON in and out, errors, events, connections
    routes/           one file per group of addresses
    conversations/    conversations in SQLite, their pictures and the data folder
    review/           a review behind the page: files, thumbnails, changes
    integrations/     Label Studio, and tools for agents over stdio
    page/             the web page, as it is served

There is no logic of the domain here: `Conversation` and `Assistant` do the work.
"""
