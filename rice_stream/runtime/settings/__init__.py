"""All settings: one module per section of docs/operations.md, combined in `settings`, read by `loading`."""
