"""Who may use the HTTP server, for which tenants, and how much of it."""
