"""What providers say was used, from the files that they give out: one module for each provider, pure."""
