"""A read-only host of PACT 3: product footprints of closed months, as its own specification has them."""
