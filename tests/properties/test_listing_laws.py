"""Things that scans list, and the names of advisories and packages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.advisories import SEVERITIES, is_at_least, one_name, package_of
from qmon_agent.domain.listings import Listing, Sighting, scanned, sighted, time_passed

SETTLE = 10
SCANS = st.lists(
    st.tuples(st.sampled_from(["", "new", "known", "fixed"]), st.booleans(), st.integers(0, 9)),
    min_size=1,
    max_size=12,
)


def lived(scans, pieces=lambda run, told: (run, told)):
    """The listing after whole scans, 100 from each other, and what it should be."""
    listing, is_open, now = Listing(), False, 0
    for number, (state, is_bad, lag) in enumerate(scans, 1):
        now = number * 100
        run = Sighting(at=now, commit=str(number))
        told = Sighting(at=now, commit=str(number), state=state, is_bad=is_bad)
        for seen in pieces(run, told):
            after = scanned(listing, seen, SETTLE, now=now) if not seen.state else None
            listing = after or sighted(listing, seen, SETTLE)
            now += lag
        listing = time_passed(listing, now + SETTLE + 1)
        is_open = state in {"new", "known"} and is_bad and (state == "new" or is_open)
    return listing, is_open


class TestListings:
    @given(SCANS)
    def test_are_open_while_the_newest_scan_lists_them(self, scans):
        listing, is_open = lived(scans)

        assert (is_open, 0) == (listing.is_open, listing.due)

    @given(SCANS)
    def test_are_the_same_in_whatever_order_a_scan_tells(self, scans):
        listing, is_open = lived(scans, pieces=lambda run, told: (told, run, told, run))

        assert is_open == listing.is_open

    @given(SCANS, st.integers(0, 99), st.sampled_from(["new", "known", "fixed"]))
    def test_are_not_changed_by_an_older_scan(self, scans, at, state):
        listing, _ = lived([("known", True, 0), *scans])
        late = sighted(listing, Sighting(at=at, state=state, is_bad=True), SETTLE)

        assert listing == scanned(late, Sighting(at=at), SETTLE, now=10**6)

    def test_are_not_fixed_by_the_scan_that_lists_them_elsewhere(self):
        listing = sighted(Listing(), Sighting(at=1, state="new", is_bad=True), SETTLE)

        assert sighted(listing, Sighting(at=1, state="fixed"), SETTLE).is_open

    def test_are_not_missed_by_a_tool_that_would_not_find_them(self):
        seen = Sighting(at=1, tool="audit", state="new", is_bad=True)
        listing = sighted(Listing(), seen, SETTLE)

        assert listing == scanned(listing, Sighting(at=99, tool="lint"), SETTLE, now=99)


class TestNames:
    @given(st.permutations(["GHSA-aaaa-bbbb-cccc", "CVE-2026-1", "PYSEC-2026-2", "X-9", " "]))
    def test_are_one_for_each_advisory(self, names):
        assert "CVE-2026-1" == one_name(names)
        assert "GHSA-aaaa-bbbb-cccc" == one_name(each for each in names if "CVE" not in each)

    @pytest.mark.parametrize(
        ("said", "name"),
        [
            (("Zope.Interface",), "zope-interface"),
            (("Zope.Interface", "PyPI"), "zope-interface"),
            (("Zope.Interface", "deb"), "Zope.Interface"),
            (("", "", "pkg:pypi/Zope.Interface@1.0?os=x#y"), "zope-interface"),
            (("", "", "pkg:npm/%40angular/core@1"), "@angular/core"),
            (("", "", "pkg:"), ""),
            (("", "", "no package"), ""),
        ],
    )
    def test_are_one_for_each_package(self, said, name):
        assert name == package_of(*said)

    @given(st.text(), st.text())
    def test_may_be_anything(self, kind, purl):
        assert len(package_of("", kind, f"pkg:{purl}")) <= 200

    @given(st.sampled_from(sorted(SEVERITIES)), st.text())
    def test_are_bad_only_in_words_that_are_known(self, floor, word):
        known = word.strip().lower()
        assert is_at_least(word, floor) == (
            known in SEVERITIES and SEVERITIES[known] >= SEVERITIES[floor]
        )
        assert is_at_least(floor.upper(), floor)
