"""Ways in, and the one pipeline behind all of them."""
