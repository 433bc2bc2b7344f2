"""A request to a Django application by WSGI."""

from __future__ import annotations

from types import ModuleType
from wsgiref.util import setup_testing_defaults

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import clear_url_caches, path
from django.utils.functional import empty


def use(servers):
    urls = ModuleType("urls")
    urls.urlpatterns = [path("", lambda _: HttpResponse("hello"))]
    before, settings._wrapped = settings._wrapped, empty  # another test has a project of its own
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=urls, SECRET_KEY="for tests")
    django.setup()
    environ, said = {}, []
    setup_testing_defaults(environ)
    try:
        yield
        body = WSGIHandler()(environ, lambda status, _: said.append(status))
        assert (b"hello", ["200 OK"]) == (b"".join(body), said)
        body.close()
    finally:
        settings._wrapped = before
        clear_url_caches()
