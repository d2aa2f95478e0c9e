"""The reading and proving side: what was counted, whether it is right, and where every number comes from.

One module per question, plain data out: the command line and the HTTP API print the same dictionaries.
"""
