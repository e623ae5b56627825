"""The report in a real browser: it asks for nothing, plays, seeks, sorts and prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import PROGRAM, WHY_NOT, Page, chromium
from reported import CROWDED, FINE, UNEVEN, UNREADABLE, write_run

from vid2kp.render import report_page
from vid2kp.render.report import write_report

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=WHY_NOT)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(write_run(tmp_path_factory.mktemp("run") / "OUT"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: Page, report: Path) -> Iterator[Page]:
    """The report with the crowded video open; nothing it does may raise a complaint."""
    browser.look()
    browser.open(report, f"#v-{CROWDED}")
    yield browser
    assert browser.complaints == []
    assert browser.requests == [report.resolve().as_uri() + ""]


def now(page: Page) -> float:
    return float(page.run(f"document.querySelector('#v-{CROWDED} .seek').ariaValueNow"))


def ink(page: Page) -> str:
    """What is on the canvas, as text."""
    return str(page.run(f"document.querySelector('#v-{CROWDED} canvas').toDataURL()"))


def test_a_link_of_the_overview_opens_its_video(page: Page) -> None:
    assert page.run(f"document.getElementById('v-{CROWDED}').open") is True
    assert page.run(f"document.getElementById('v-{FINE}').open") is False
    page.run(f"document.querySelector('#overview a[href=\"#v-{FINE}\"]').click()")
    page.run("new Promise(done => setTimeout(done, 100))")
    assert page.run(f"document.getElementById('v-{FINE}').open") is True


def test_the_skeleton_is_drawn_and_other_frames_look_different(page: Page) -> None:
    first = ink(page)
    assert page.run(
        f"document.querySelector('#v-{CROWDED} canvas').getContext('2d')"
        ".getImageData(0, 0, 2000, 2000).data.some(value => value > 0)"
    )
    page.run(f"document.querySelector('#v-{CROWDED} .forth').click()")
    assert now(page) == pytest.approx(UNEVEN[1], abs=0.006)
    assert ink(page) != first


def test_it_plays_and_pauses(page: Page) -> None:
    page.run(f"document.querySelector('#v-{CROWDED} .rate').click()")
    page.run(
        "new Promise(done => { const slider = document.querySelector"
        f"('#v-{CROWDED} .seek'); new MutationObserver((_, seen) => "
        "{ if (slider.ariaValueNow > 0.2) { seen.disconnect(); done(); } })"
        ".observe(slider, { attributes: true });"
        f"document.querySelector('#v-{CROWDED} .play').click(); }})"
    )
    assert page.run(f"document.querySelector('#v-{CROWDED} .play').textContent") == "Pause"
    page.run(f"document.querySelector('#v-{CROWDED} .play').click()")
    paused = now(page)
    page.run("new Promise(done => setTimeout(done, 100))")
    assert 0.2 < now(page) == paused


def test_it_ends_at_the_end_and_begins_anew(page: Page) -> None:
    page.run(f"document.querySelector('#v-{CROWDED} .seek').focus()")
    page.press("End")
    end = now(page)
    assert end == pytest.approx(UNEVEN[-1], abs=0.006)
    page.run(f"document.querySelector('#v-{CROWDED} .play').click()")
    page.run("new Promise(done => requestAnimationFrame(done))")
    assert now(page) < end


def test_a_click_on_the_timeline_goes_there(page: Page) -> None:
    box = page.run(
        f"(() => {{ const s = document.querySelector('#v-{CROWDED} .seek'); s.scrollIntoView();"
        "const b = s.getBoundingClientRect(); return [b.left, b.top, b.width]; })()"
    )
    page.click(box[0] + 0.25 * box[2], box[1] + 20)
    whole = float(page.run(f"document.querySelector('#v-{CROWDED} .seek').ariaValueMax"))
    assert now(page) == pytest.approx(0.25 * whole, abs=0.02)


def test_the_keyboard_does_all_of_it(page: Page) -> None:
    page.run(f"document.querySelector('#v-{CROWDED} .seek').focus()")
    page.press("ArrowRight")
    page.press("ArrowRight")
    page.press("ArrowLeft")
    assert now(page) == pytest.approx(1)
    said = page.run(f"document.querySelector('#v-{CROWDED} .seek').ariaValueText")
    assert said.startswith("0:01.0 of ")
    page.press("Home")
    assert now(page) == 0


def test_the_table_sorts_and_filters(page: Page) -> None:
    def names() -> list[str]:
        script = "[...document.querySelectorAll('#overview tbody tr')].filter(row => !row.hidden)"
        found: list[str] = page.run(f"{script}.map(row => row.cells[0].textContent)")
        return found

    def press(selector: str) -> None:
        page.run(f"document.querySelector('{selector}').click()")

    assert names() == [FINE, UNREADABLE, CROWDED]
    length = "#overview th:nth-child(3)"
    press(f"{length} button")
    assert names() == [UNREADABLE, FINE, CROWDED]
    press(f"{length} button")
    assert names() == [CROWDED, FINE, UNREADABLE]
    assert page.run(f"document.querySelector('{length}').ariaSort") == "descending"
    usable = "#overview th:nth-child(4)"
    for _ in range(2):
        press(f"{usable} button")
        assert names()[-1] == UNREADABLE, "what is not known comes last either way"
    press('[data-show="look"]')
    assert names() == [CROWDED]
    assert page.run("document.getElementById('listed').textContent") == "1 of 3 videos"


def test_a_long_table_is_shown_in_parts(
    browser: Page, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_page, "LISTED", 2)
    browser.open(write_report(report.parent, tmp_path / "report.html"))
    visible = "[...document.querySelectorAll('#overview tbody tr')].filter(r => !r.hidden).length"
    assert browser.run(visible) == 2
    browser.run("document.querySelector('#overview th:nth-child(3) button').click()")
    assert browser.run(visible) == 2
    assert (
        browser.run("document.getElementById('listed').textContent")
        == "3 of 3 videos, the first 2 listed"
    )
    browser.run("document.getElementById('more').click()")
    assert browser.run(visible) == 3
    assert browser.run("document.getElementById('more').hidden") is True


def test_every_control_has_a_name_and_every_table_a_caption(page: Page) -> None:
    nameless = "[...document.querySelectorAll('button')].filter(b => !b.textContent.trim()).length"
    assert page.run(nameless) == 0
    assert page.run("[...document.querySelectorAll('table')].every(t => t.caption)") is True
    for kind in ("canvas", "svg.paths"):
        label = f"[...document.querySelectorAll('{kind}')].every(e => e.getAttribute('aria-label'))"
        assert page.run(label) is True


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_ground_differ_in_light_and_dark(page: Page, scheme: str) -> None:
    page.look(scheme=scheme)
    page.run("new Promise(done => setTimeout(done, 100))")
    ground, text = (
        page.run(f"getComputedStyle(document.body).{of}.match(/\\d+/g).map(Number)")
        for of in ("backgroundColor", "color")
    )
    assert (sum(ground) > 600) == (scheme == "light")
    assert abs(sum(ground) - sum(text)) > 400


def test_a_narrow_window_needs_no_scrolling_sideways(page: Page) -> None:
    page.look(width=380)
    assert page.run("document.documentElement.scrollWidth") <= 380


def test_it_prints(page: Page) -> None:
    page.look(scheme="dark")
    assert page.pdf().startswith(b"%PDF")
    assert page.run("document.documentElement.className") == ""
