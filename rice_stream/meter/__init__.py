"""A request to grams: the one place where factors, method and integers meet. Pure."""
