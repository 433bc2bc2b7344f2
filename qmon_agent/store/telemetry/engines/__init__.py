"""The engines a telemetry store can stand on, one folder each."""
