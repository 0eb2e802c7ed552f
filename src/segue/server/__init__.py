"""One model, many users: HTTP routes, the queue before the model, and the web page.

    app.py            puts everything together
    settings.py       what a server is started with
    gate.py           who may come in, and how much they may bring
    problem.py        errors in OpenAI's shape
    worker.py         the queue and the one thread that owns the models
    answering.py      jobs and clients: deadlines, disconnects, event streams
    asked.py          JSON that comes in, checked
    shapes.py         JSON that goes out
    document.py       the OpenAPI document
    exporting.py      a conversation as files, and back
    metrics.py        counters
    service.py        what the routes work with
    pictures.py       pictures by content, on disk and in memory
    store.py          conversations in SQLite
    talks.py          live conversations
    routes/           one file per group of addresses
    labelling.py      what a Label Studio asks
    mcp.py            tools for agents, over stdio
    page/             the web page, as it is served

There is no logic of the domain here: `Conversation` and `Assistant` do the work.
"""
