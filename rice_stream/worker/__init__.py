"""The worker: Faust around the pipeline. Only `app.py` here (and `rice_stream.transport`) knows Faust."""
