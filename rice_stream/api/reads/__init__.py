"""Routes that answer: one module for each question, the same reports as on the command line."""
