"""The report in a real browser: `make test-browser`. Screenshots are left in reports/browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from actors.review.display import duration, size
from tests.review.test_assessment import git
from tests.review.trees import REPOSITORY, make_tree

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.timeout(300),
    # The browser's driver is a program of its own, with a loop in this one, and ends with the last page.
    pytest.mark.actors_leaks_allowed("processes", "threads", "descriptors", "files", reason="the browser's driver"),
]

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
OUT = REPOSITORY / "reports" / "browser"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of two reports: `report` has everything in it, `large` is about as many files as a project has."""
    large = tmp_path_factory.mktemp("large")
    command = [sys.executable, "-m", "actors", "review", str(REPOSITORY / "actors"), "--no-cache", "-q", "--no-checks"]
    command += ["--no-history", "--json", "report.json", "--html", "report.html"]
    subprocess.run(command, cwd=large, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, check=True, timeout=200)
    return {"report": everything(tmp_path_factory.mktemp("report")), "large": large}


@pytest.fixture(scope="module")
def report(reports: dict[str, Path]) -> Path:
    return reports["report"]


def everything(folder: Path) -> Path:
    """A report with findings, history, cycles, an earlier report, and names of all kinds."""
    tree = make_tree(folder / "tree", 12)
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "one")
    command = [sys.executable, "-m", "actors", "review", str(tree), "--no-cache", "-q"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}

    def review(*arguments: str) -> None:
        subprocess.run([*command, *arguments], cwd=folder, env=environment, check=True, timeout=200)

    review("--json", "before.json")
    (tree / "m0000.py").write_text("import m0011\nimport os\nimport subprocess\nsubprocess.call(input(), shell=True)\n")
    branches = "".join(f"    if a == {n}:\n        return {n}\n" for n in range(60))
    (tree / "a_rather_long_name_of_a_module_that_has_to_be_cut_somewhere.py").write_text(f"def f(a):\n{branches}")
    (tree / "broken.py").write_text("def f(:\n")
    deep = tree / "a_folder" / "of_another_folder" / "with_a_long_name" / "in_the_depth_of_the_tree"
    deep.mkdir(parents=True)
    (deep / "the_module_that_lies_there.py").write_text("import os, sys\nassert True\n")
    (tree / "nöt_ascii – 名前.py").write_text("x = 1\n")
    (tree / "gone.py").symlink_to("nowhere")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "two")
    review("--json", "report.json", "--since", "before.json", "--html", "report.html")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium here: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        started = driver.chromium.launch(executable_path=program, args=options)
        yield started
        started.close()


VIEWS = [(kind, width, scheme) for kind in ("report", "large") for width in WIDTHS for scheme in SCHEMES]


@pytest.fixture(params=VIEWS, ids="-".join)
def page(request: pytest.FixtureRequest, browser: Any, reports: dict[str, Path]) -> Iterator[Any]:
    """The page at a width, in a scheme; afterwards: it asked for nothing and no script failed."""
    kind, name, scheme = request.param
    width, height = WIDTHS[name]
    opened = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if message.type in {"error", "warning"} else None)
    opened.on("request", lambda asked: faults.append(asked.url) if not asked.url.startswith("file:") else None)
    opened.goto((reports[kind] / "report.html").as_uri())
    opened.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    yield opened
    OUT.mkdir(parents=True, exist_ok=True)
    opened.screenshot(path=str(OUT / f"{kind}-{name}-{scheme}.png"), full_page=True)
    opened.close()
    assert not faults


OVERLAPS = """() => {
  const faults = [];
  const wide = document.documentElement.scrollWidth - window.innerWidth;
  if (wide > 0) faults.push(`the page is ${wide} px wider than the window`);
  const shown = (one) => one.getClientRects().length && getComputedStyle(one).visibility !== "hidden";
  const blocks = [...document.querySelectorAll("header, section, footer")].filter(shown);
  const tiles = [...document.querySelectorAll(".tiles li")].filter(shown);
  const cells = [...document.querySelectorAll("tr")].map((row) => [...row.cells].filter(shown));
  const lanes = [...document.querySelectorAll(".lane, .bar-row")].map((one) => [...one.children].filter(shown));
  for (const group of [blocks, tiles, ...cells, ...lanes]) {
    for (let i = 1; i < group.length; i++) {
      const a = group[i - 1].getBoundingClientRect(), b = group[i].getBoundingClientRect();
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1 && down > 1) faults.push(`${group[i - 1].textContent.slice(0, 40)} overlaps ${group[i].textContent.slice(0, 40)}`);
    }
  }
  for (const one of document.querySelectorAll(".tiles li, th, .tag, .peak, td.n, h1, h2, .bar-value *")) {
    if (shown(one) && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline")
      faults.push(`cut off: ${one.textContent.slice(0, 60)}`);
  }
  for (const text of document.querySelectorAll("svg .cell text")) {
    if (!shown(text)) continue;
    const a = text.getBoundingClientRect(), b = text.parentElement.querySelector("rect").getBoundingClientRect();
    if (a.left < b.left - 1 || a.right > b.right + 1 || a.bottom > b.bottom + 2)
      faults.push(`goes beyond its box: ${text.textContent}`);
  }
  for (const one of document.querySelectorAll("td, th, li, summary, p, .lane-name")) {
    // A word that is broken in the middle again and again stands in a column that is too narrow for it.
    if (shown(one) && !one.children.length && one.textContent.trim().length > 8 && one.clientWidth < 60)
      faults.push(`squeezed into ${one.clientWidth} px: ${one.textContent.trim().slice(0, 60)}`);
  }
  return faults;
}"""

CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0.99) return colour;
    }
    return [255, 255, 255, 1];
  };
  const faults = new Set();
  const solid = (front, one, back) => {
    let share = front[3];
    for (let at = one; at; at = at.parentElement) share *= Number(getComputedStyle(at).opacity);
    return front.slice(0, 3).map((value, i) => value * share + back[i] * (1 - share));
  };
  const compare = (front, back, text) => {
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faults.add(`${ratio.toFixed(2)}: ${text.trim().slice(0, 50)}`);
  };
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !one.getClientRects().length || ["SCRIPT", "STYLE"].includes(one.tagName)) continue;
    if (one.closest("svg")) {
      const rect = one.tagName === "text" && one.parentElement.querySelector("rect");
      if (rect) {
        const back = rgb(getComputedStyle(rect).fill);
        compare(solid(rgb(getComputedStyle(one).fill), one, back), back, one.textContent);
      }
    } else compare(solid(rgb(getComputedStyle(one).color), one, behind(one)), behind(one), one.textContent);
  }
  for (const [one, part] of [["td[data-l]", "::before"], [".stack thead tr", "::before"], ["input", "::placeholder"]]) {
    const found = [...document.querySelectorAll(one)].find((each) => each.getClientRects().length);
    if (found) compare(rgb(getComputedStyle(found, part).color), behind(found), `${one}${part}`);
  }
  return [...faults];
}"""


def test_nothing_overlaps_or_is_cut_off(page: Any) -> None:
    """A1: at desktop and phone widths."""
    assert page.evaluate(OVERLAPS) == []


def test_all_text_has_the_contrast_that_wcag_asks_for(page: Any) -> None:
    """A1: 4.5 to 1 (WCAG 2.1 AA), in dark and light."""
    assert page.evaluate(CONTRAST) == []


def test_everything_that_can_be_used_is_reached_by_the_keyboard(page: Any) -> None:
    """A1: links, sorting, summaries, pictures, the filter; each shows that it has the focus."""
    wanted = page.evaluate(
        """() => [...document.querySelectorAll("a[href], button, summary, input, svg[tabindex]")]
        .filter((one) => one.getClientRects().length)
        .map((one, index) => { one.dataset.key = index; return index; })"""
    )
    reached: set[int] = set()
    unseen: list[str] = []
    for _ in range(len(wanted) + 20):
        page.keyboard.press("Tab")
        key, outline, name = page.evaluate(
            """() => { const one = document.activeElement; const style = getComputedStyle(one);
            return [one.dataset.key, style.outlineStyle !== "none" && style.outlineWidth !== "0px", one.outerHTML.slice(0, 80)]; }"""
        )
        if key is None:
            continue
        if not outline:
            unseen.append(name)
        if int(key) in reached:
            break
        reached.add(int(key))
    assert reached == set(wanted) and not unseen


def test_pictures_tables_and_the_filter_answer_to_keys(page: Any) -> None:
    """A1: what a mouse can do, keys can."""
    page.evaluate("() => [...document.querySelectorAll('#map svg')].find((one) => one.getClientRects().length).focus()")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert re.search(r"\d+ lines", page.inner_text("#map .detail"))
    button = page.locator("#files th button").first
    button.focus()
    page.keyboard.press("Enter")
    names = page.locator("#files tbody td.path").all_inner_texts()
    assert names == sorted(names, key=str.lower)
    page.locator("#files input").focus()
    page.keyboard.type("broken" if page.locator("text=broken.py").count() else "review/score.py")
    visible = [one for one in page.locator("#files tbody tr").all() if one.is_visible()]
    assert len(visible) == 1


def test_the_page_is_useful_without_its_script(browser: Any, report: Path) -> None:
    """A1: the tables are there."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((report / "report.html").as_uri())
    assert "a_rather_long_name" in page.inner_text("#hot")
    context.close()


# A number, with the mark that separates thousands.
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")


def numbers_of(value: Any) -> Iterator[str]:
    """Each number of the JSON in the ways in which the page writes it, and the numbers in its texts."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from NUMBER.findall(str(key))
            yield from numbers_of(one)
        yield f"{len(value):,}"
    elif isinstance(value, list):
        yield f"{len(value):,}"
        for one in value:
            yield from numbers_of(one)
    elif isinstance(value, bool) or value is None:
        pass
    elif isinstance(value, str):
        yield from NUMBER.findall(value)
    else:
        yield from (f"{value:,}", f"{value:.1f}", f"{value:.2f}", f"{value:.0f}", f"{value:g}", str(value))
        yield from NUMBER.findall(f"{duration(abs(value))} {size(int(abs(value)))}")


def test_every_number_on_the_page_is_in_the_json(page: Any) -> None:
    """A1: in all text that is seen, and in the titles of pictures."""
    data = json.loads((Path(unquote(urlsplit(page.url).path)).parent / "report.json").read_text())
    known = set(numbers_of(data))
    text = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
        .filter((one) => !["SCRIPT", "STYLE"].includes(one.tagName))
        .flatMap((one) => [one.getAttribute("aria-label") ?? "", ...[...one.childNodes].filter((node) => node.nodeType === 3 && node.textContent.trim())
            .map((node) => node.textContent.trim().replace(/\\s+/g, " "))])"""
    )
    unknown = {f"{number} in {line[:80]!r}" for line in text for number in NUMBER.findall(line) if number not in known}
    assert not unknown
