"""What is kept: telemetry, and state."""
