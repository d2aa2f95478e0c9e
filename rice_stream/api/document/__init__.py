"""The OpenAPI document: what every route answers, field by field with its unit, an example of each, and the page made of it."""
