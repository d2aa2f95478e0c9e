"""The pages, one module each: what it may be asked, what it shows, and the changes that are made on it."""
