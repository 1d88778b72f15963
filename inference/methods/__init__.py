"""The reconstruction methods, one module each; ``register`` lists them and imports no torch."""
