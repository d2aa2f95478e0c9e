"""The dashboard: pages in HTML, from the functions that the API answers from, in the caller's scope."""
