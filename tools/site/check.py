"""Crawl a built site: links, requests, width, and accessibility, page by page in a browser without a network.

python tools/site/check.py site/whole site/students

Needs Chromium, and npm for axe-core, which is fetched into a temporary folder.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from urllib.parse import unquote, urldefrag

from playwright.sync_api import Browser, Page, sync_playwright

AXE = "axe-core@4.14.1"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
COLORS = ("light", "dark")
WIDTHS = {"phone": (390, 844), "desktop": (1280, 800)}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OVERFLOW = """() => {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide <= 0) return "";
  const beyond = [...document.querySelectorAll("main *")].find(
    (element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1);
  return `${wide} pixels wider than the screen: ${beyond ? beyond.outerHTML.slice(0, 120) : "?"}`;
}"""


@dataclass
class Found(HTMLParser):
    """What a page holds: the ids that links can lead to, and the links."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a tag adds."""
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.ids.add(value)
            elif name in ("href", "src") and value and not value.startswith(("data:", "mailto:")):
                self.links.append(value)


def dead_links(site: Path) -> Iterator[str]:
    """Yield each link of a site that leads nowhere, and each file that a page would fetch from elsewhere."""
    pages: dict[Path, Found] = {}
    for file in sorted(site.rglob("*.html")):
        pages[file] = Found()
        pages[file].feed(file.read_text(encoding="utf-8"))
    for file, page in pages.items():
        for link in page.links:
            address, anchor = urldefrag(link)
            if re.match(r"[a-z]+:", address):
                continue  # elsewhere, for the reader to follow; that no page fetches it is seen in the browser
            target = (file.parent / unquote(address.split("?")[0])).resolve() if address else file
            if not target.is_file():
                yield f"{file.relative_to(site)}: {link} is not there"
            elif anchor and target in pages and unquote(anchor) not in pages[target].ids:
                yield f"{file.relative_to(site)}: {link} has no such place"


def seen(site: Path, browser: Browser, axe: Path | None, pages: str = "*") -> Iterator[str]:
    """Yield what is wrong with each page in a browser: requests, scripts, width, and what axe-core finds.

    axe: the folder of axe-core, None to leave it out. pages: the names of the files, by a pattern.
    """
    context = browser.new_context(reduced_motion="reduce")
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("pageerror", lambda error: asked.append(f"script: {error}"))
    for file in sorted(site.rglob("*.html")):
        name = file.relative_to(site)
        if not name.match(pages):
            continue
        asked.clear()
        page.goto(file.as_uri(), wait_until="load")
        yield from (f"{name}: asked for {url}" for url in asked if not url.startswith(("file:", "data:", "blob:")))
        for device, (width, height) in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            if wide := page.evaluate(_OVERFLOW):
                yield f"{name}, {device}: {wide}"
        if axe is None:
            continue
        for scheme in COLORS:
            page.evaluate("(scheme) => (document.documentElement.dataset.theme = scheme)", scheme)
            yield from (f"{name}, {scheme}: {said}" for said in _violations(page, axe / "axe.min.js"))
    context.close()


def _violations(page: Page, script: Path) -> Iterator[str]:
    """What axe-core finds against WCAG 2.1 AA, with all that is folded unfolded."""
    page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
    if not page.evaluate("Boolean(window.axe)"):
        page.add_script_tag(path=script)
    found = page.evaluate(
        "(tags) => axe.run({runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", RULES
    )
    for violation in found["violations"]:
        where = violation["nodes"][0]
        said = " ".join((where.get("failureSummary") or "").split())
        yield f"{violation['id']} × {len(violation['nodes'])}: {where['html'][:160]} ({said[:200]})"


def fetched(folder: Path) -> Path:
    """Fetch axe-core into a folder with npm and return where it is; raises ValueError where npm cannot."""
    command = ["npm", "install", "--silent", "--no-save", "--prefix", str(folder), AXE]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or error
        raise ValueError(f"npm cannot fetch {AXE} ({said}): install npm, or leave axe out with --no-axe") from error
    return folder / "node_modules" / "axe-core"


def main() -> int:
    """Check the sites that the command line names; 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sites", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--no-axe", action="store_true", help="without the check of accessibility")
    parser.add_argument("--pages", default="*", metavar="PATTERN", help="open these pages alone: 'lessons/*'")
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None:
        print("there is no Chromium: install it, as `apt-get install chromium` does", file=sys.stderr)
        return 1
    faults = 0
    with tempfile.TemporaryDirectory(prefix="ltcourse-axe-") as scratch, sync_playwright() as playwright:
        try:
            axe = None if options.no_axe else fetched(Path(scratch))
        except ValueError as problem:
            print(problem, file=sys.stderr)
            return 1
        # nobody answers at port 9: what is not in the folder cannot be reached
        arguments = ["--no-sandbox", "--proxy-server=http://127.0.0.1:9"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        for site in (folder.resolve() for folder in options.sites):
            if not (site / "index.html").is_file():
                print(f"there is no site in {site}: build it with `make site`", file=sys.stderr)
                return 1
            for fault in chain(dead_links(site), seen(site, browser, axe, options.pages)):
                print(fault, flush=True)
                faults += 1
            print(f"{site}: {len(list(site.rglob('*.html')))} pages seen", flush=True)
        browser.close()
    print(f"{faults} faults")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
