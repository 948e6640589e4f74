"""HTTP messages as bytes: valid requests, mutated requests, and checks of the responses."""
