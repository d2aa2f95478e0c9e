"""Tokens of an OpenID Connect provider: who a bearer is, and what a group of the provider may do here."""
