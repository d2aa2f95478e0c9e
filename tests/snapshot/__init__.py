"""What rice_stream answers, pinned from outside: numbers, names and artefacts that no change of its layout may touch."""
