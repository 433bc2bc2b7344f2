"""All that the two sides agree on: signals, columns, frames, errors."""
