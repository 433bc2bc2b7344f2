"""Django, for real, under WSGI and under ASGI: routes, errors, streams."""

from __future__ import annotations

from types import SimpleNamespace

import django
import httpx
import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.dispatch import Signal
from django.http import HttpResponse, StreamingHttpResponse
from django.template import Context, Engine
from django.test import override_settings
from django.urls import include, path, re_path
from django.utils.deprecation import MiddlewareMixin
from werkzeug.test import Client

from qmon_sdk.context import set_user
from qmon_sdk.integrations.django import DjangoIntegration, template_of
from qmon_sdk.start import shutdown, stats

ordered = Signal()
ordered.connect(lambda **_: None, weak=False)
engine = Engine()


class Lenient:
    """A middleware of the application that answers some errors itself."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, error):
        status = {"upstream": 502, "gone": 404}.get(str(error))
        return HttpResponse("sorry", status=status) if status else None


def order(request, number):
    set_user({"id": f"user-{number}"})
    return HttpResponse(f"order {number}")


async def late(request, number):
    return HttpResponse(f"late {number}")


def bug(request, word, tenant=""):
    raise ValueError(word)


def page(request):
    ordered.send(sender=Lenient)
    return HttpResponse(engine.from_string("hello").render(Context()))


def signed_in(request, number):
    request._cached_user = SimpleNamespace(pk=number, is_authenticated=True)
    if number == 500:
        raise LookupError("no such order")
    return HttpResponse("")


def stream(request):
    return StreamingHttpResponse(iter([b"a", b"b"]))


inner = [path("orders/<int:number>/", order), re_path(r"^by-year/(?P<number>[0-9]{4})/$", order)]
urlpatterns = [
    *inner,
    path("tenants/<slug:tenant>/", include([path("bug/<word>/", bug)])),
    path("late/<int:number>/", late),
    path("bug/<word>/", bug),
    path("stream/", stream),
    path("signed-in/<int:number>/", signed_in),
    path("page/", page),
]


@pytest.fixture(scope="module", autouse=True)
def a_project():
    settings.configure(
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[f"{__name__}.Lenient"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="for tests",
        LOGGING_CONFIG=None,
        USE_TZ=True,
    )
    django.setup()


@pytest.fixture
def watched(told):
    return told.begin(integrations=("django",))


def get(where):
    return Client(WSGIHandler()).get(where, buffered=True)


async def get_async(where):
    transport = httpx.ASGITransport(ASGIHandler(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        return await client.get(where)


class TestUnderWsgi:
    def test_names_a_request_by_its_route(self, watched):
        assert b"order 7" == get("/orders/7/").data

        found = watched.span("GET /orders/<int:number>/")
        assert ("server", "unset", "user-7") == (found.kind, found.status, found.user_id)
        assert "/orders/7/" == found.attributes["url.path"]

    def test_names_what_resolves_to_nothing_by_its_method(self, watched):
        assert 404 == get("/wp-admin/7/").status_code

        assert ["GET"] == [found.name for found in watched.spans]
        assert [] == watched.all("error")

    def test_keeps_the_error_that_django_answers_with_a_500(self, watched):
        assert 500 == get("/tenants/acme/bug/planted/").status_code

        (error,) = watched.all("error")
        assert ("ValueError", "planted", False) == (error.type, error.message, error.handled)
        assert "/tenants/<slug:tenant>/bug/<word>/" == error.attributes["http.route"]

    def test_keeps_an_error_a_middleware_answers_only_if_that_is_a_failure(self, watched):
        assert [404, 502] == [get(f"/bug/{word}/").status_code for word in ("gone", "upstream")]

        assert [("upstream", True)] == [(e.message, e.handled) for e in watched.all("error")]

    def test_ends_a_stream_with_its_last_byte(self, watched):
        assert b"ab" == get("/stream/").data
        assert "200" == watched.span("GET /stream/").attributes["http.response.status_code"]


class TestUnderAsgi:
    async def test_names_a_request_by_its_route(self, watched):
        assert "late 7" == (await get_async("/late/7/")).text
        assert "order 7" == (await get_async("/orders/7/")).text

        expected = ["GET /late/<int:number>/", "GET /orders/<int:number>/"]
        assert expected == [found.name for found in watched.spans]

    async def test_keeps_the_error_of_a_view_in_a_thread(self, watched):
        assert 500 == (await get_async("/bug/planted/")).status_code

        (error,) = watched.all("error")
        assert ("ValueError", False) == (error.type, error.handled)
        assert watched.span("GET /bug/<word>/").span_id == error.span_id


class TestViews:
    def test_are_named(self, watched):
        get("/orders/7/")

        assert watched.spans[-1].attributes["code.function.name"].endswith("django.order")


class TestUsers:
    def test_who_are_signed_in_are_kept_if_they_may_be(self, watched):
        watched.begin(integrations=("django",), send_default_pii=True)
        get("/signed-in/7/")
        get("/signed-in/500/")

        assert ["7", "500"] == [made.user_id for made in watched.spans]
        assert ["500"] == [error.user_id for error in watched.all("error")]

    def test_are_nobody_otherwise(self, watched):
        get("/signed-in/7/")

        assert "" == watched.spans[-1].user_id

    def test_whom_the_application_names_win(self, watched):
        watched.begin(integrations=("django",), send_default_pii=True)
        get("/orders/7/")

        assert "user-7" == watched.spans[-1].user_id


class Passing(MiddlewareMixin):
    """A middleware of Django's kind."""


class TestParts:
    def test_have_spans_when_that_is_wanted(self, told):
        told.begin(integrations=(DjangoIntegration(middleware=True, templates=True, signals=True),))
        with override_settings(MIDDLEWARE=[f"{__name__}.Passing"]):
            get("/page/")

        names = [made.name for made in told.spans]
        assert f"middleware {__name__}.Passing" in names
        assert {"template (inline)", "signal"} <= set(names)
        request = told.span("GET /page/")
        assert request.span_id == told.span(f"middleware {__name__}.Passing").parent_id

    async def test_have_spans_under_asgi(self, told):
        told.begin(integrations=(DjangoIntegration(middleware=True),))
        with override_settings(MIDDLEWARE=[f"{__name__}.Passing"]):
            transport = httpx.ASGITransport(ASGIHandler())
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                await client.get("/late/7/")

        assert told.span(f"middleware {__name__}.Passing").duration_ns > 0

    def test_have_none_by_default(self, watched):
        with override_settings(MIDDLEWARE=[f"{__name__}.Passing"]):
            get("/page/")

        assert ["GET /page/"] == [made.name for made in watched.spans]


class TestTemplates:
    @pytest.mark.parametrize(
        ("route", "template"),
        [
            ("orders/<int:number>/", "/orders/<int:number>/"),
            ("^by-year/(?P<year>[0-9]{4})/$", "/by-year/<year>/"),
            ("api/^items/(?P<slug>(a|b)+)/\\Z", "/api/items/<slug>/"),
            ("", "/"),
        ],
    )
    def test_are_paths_whatever_the_route_is_written_in(self, route, template):
        assert template == template_of(route)


class TestRemoval:
    def test_leaves_django_as_it_was(self, told):
        before = WSGIHandler.__call__, ASGIHandler.__call__, WSGIHandler.resolve_request
        told.begin(integrations=("django",))
        assert {"django": "watching"} == stats().integrations

        shutdown(timeout=0)
        after = WSGIHandler.__call__, ASGIHandler.__call__, WSGIHandler.resolve_request
        assert before == after
