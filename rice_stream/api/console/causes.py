"""The causes of a range in words: what each is, and what would make it smaller (docs/methodology.md, Ranges)."""

NARROWING = {
    "size": "How many parameters the model has: a figure of the vendor’s, or your own in a table of models.",
    "batch": "How many requests are answered together: the batch size of the server, sent with the event.",
    "hardware": "Which accelerators it runs on: send the hardware with the event.",
    "law": "A measurement: energy that the server’s own meter gives, or one published for the model.",
    "price": "Energy figures from the provider: a price says only roughly how much energy it may pay for.",
    "metered": "A meter nearer to the accelerators.",
    "host": "How much of the machine the accelerators take: the provider’s own figures.",
    "idle": "How busy the machines are: the provider’s own figures.",
    "pue": "The PUE of the data centre: send the region, or a table of your own.",
    "grid": "Where it runs: send the region with the event.",
    "tokens": "The token counts: have the sender pass on what the provider reports.",
}
"""What makes each cause of a range smaller."""
CAUSES = {
    "size": "Size of the model",
    "batch": "Requests answered together",
    "hardware": "Accelerators",
    "law": "The method itself",
    "price": "Price as evidence",
    "metered": "The meter",
    "host": "Machines around the accelerators",
    "idle": "Idle machines",
    "pue": "PUE",
    "grid": "Electricity of the region",
    "tokens": "Token counts that are not known",
}
"""What is not known."""
