"""Our signals as OpenTelemetry's: what each field is called there, and how requests are cut."""
