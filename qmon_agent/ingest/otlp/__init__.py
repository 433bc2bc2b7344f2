"""OpenTelemetry's protocol, read: two encodings of the same messages, and signals made of them."""
