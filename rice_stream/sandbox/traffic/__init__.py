"""Published traces, event files and synthetic live traffic, sent to Kafka.

    trace = open_trace(path)                         # checked line by line: nothing is sent from a bad file
    report = send(replay_events(trace, seed=0, tenants=20), bootstrap_servers=..., topic=..., rate="max")

A new trace format is a reader in `traces`; who sends and to which models is `catalogue` and data/models.csv; the demo's
traffic is `traffic`, what goes wrong in it `oddities`, and the facts it is shaped by data/traffic_shape.json.
"""
