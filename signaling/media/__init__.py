"""Live media: a forwarding process of its own, and the web side's connection to it.

`worker.py` is the process: it alone touches packets, and it knows rooms, peers and permissions but nothing of courses,
accounts or databases. `client.py` is how the rest of the server speaks with it. Nothing is decoded or encoded on either
side; this package imports the standard library and media libraries only, and never a video codec.
"""
