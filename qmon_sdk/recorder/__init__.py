"""From a call to a frame: cells, rows, lanes, delivery, and what fork and exit do to them."""
