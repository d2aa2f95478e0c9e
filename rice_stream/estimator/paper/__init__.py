"""`rice-paper`: R-ICE as published."""
