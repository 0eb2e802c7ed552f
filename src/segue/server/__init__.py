"""One model, many users: HTTP routes, the queue before the model, and the web page.

    app.py            puts everything together
    settings.py       what a server is started with
    gate.py           who may come in, and how much they may bring
    problem.py        errors in OpenAI's shape
    worker.py         the queue and the one thread that owns the models
    answering.py      jobs and clients: deadlines, disconnects, event streams
    asked.py          JSON that comes in, checked
    shapes.py         JSON that goes out
    pictures.py       pictures by content, on disk and in memory
    store.py          conversations in SQLite
    talks.py          live conversations
    routes/           one file per group of addresses

There is no logic of the domain here: `Conversation` and `Assistant` do the work.
"""
