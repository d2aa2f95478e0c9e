"""Pieces that run inside other software. Nothing here is imported unless that software is there."""
