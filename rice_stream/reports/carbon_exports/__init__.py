"""What clouds state of their carbon, from the files that they give out: one module for each cloud, pure."""
