"""Usual records of the formats, read into typed structs of the wanted fields; everything odd is left to the full decoders."""
