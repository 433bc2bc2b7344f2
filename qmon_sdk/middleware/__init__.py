"""What stands around an application: one server span per request, for ASGI and for WSGI."""
