"""Bytes of any source to canonical events, their keys and their columns. Pure.

`canonical` is the event; `decoding` the fast way for canonical JSON; `formats` one module for each other format.
"""
