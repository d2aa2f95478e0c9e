"""The worker: Faust around the pipeline. Only `app.py` and `faust_transport.py` know Faust."""
