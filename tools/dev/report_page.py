#!/usr/bin/env python3
"""Opens a sweep's report in headless Chromium and tries it as a reader would.

    tools/dev/report_page.py out/report.html [--pictures FOLDER]

At 390, 1280 and 1920 px, in light and dark: nothing is wider than the window, the console is silent, and nothing is
requested but the file. Sorting, filtering and the switch to the front are driven and checked; charts are saved as SVG and
PNG. --pictures keeps screenshots and the printed page. Needs Debian's packages chromium and chromium-driver; for
development only. Exit codes: 0 all well, 1 otherwise.
"""
import argparse
import base64
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

PORT = 9517
WIDTHS = {390: 844, 1280: 900, 1920: 1080}
problems = []


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["value"]


def check(true, what):
    print(("ok      " if true else "FAILED  ") + what)
    if not true:
        problems.append(what)


class Browser:
    def __init__(self):
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"],
                   "perfLoggingPrefs": {"enableNetwork": True}}
        session = call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.path = "/session/" + session["sessionId"]

    def devtools(self, command, **parameters):
        return call("POST", self.path + "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def run(self, script):
        return call("POST", self.path + "/execute/sync", {"script": script, "args": []})

    def log(self, kind):
        return call("POST", self.path + "/se/log", {"type": kind})

    def open(self, url, width, dark):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=WIDTHS[width], deviceScaleFactor=1,
                      mobile=width < 600)
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        call("POST", self.path + "/url", {"url": url})

    def picture(self, whole=True):
        return base64.b64decode(self.devtools("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def close(self):
        call("DELETE", self.path)


COLUMN = """
const section = document.querySelector('section.model');
const column = [...section.querySelectorAll('th')].findIndex(th => th.textContent === '%s');
const shown = [...section.querySelector('tbody').rows].filter(row => !row.hidden);
return shown.map(row => row.cells[column].dataset.v).filter(v => v !== '').map(Number);"""


def sort_by(browser, name):
    browser.run(f"[...document.querySelectorAll('th button')].find(b => b.textContent === '{name}').click()")
    return browser.run(COLUMN % name)


def set_filter(browser, words):
    browser.run(f"""const box = document.querySelector('input[type=search]');
        box.value = {json.dumps(words)}; box.dispatchEvent(new Event('input'));""")
    return browser.run("""return [...document.querySelector('section.model tbody').rows]
        .filter(row => !row.hidden).map(row => row.dataset.text)""")


def drive(browser, url):
    browser.open(url, 1280, False)
    sizes = sort_by(browser, "file")
    check(len(sizes) > 2 and sizes == sorted(sizes), "sorting by file: rising")
    sizes = sort_by(browser, "file")
    check(sizes == sorted(sizes, reverse=True), "sorting by file again: falling")
    accuracy = sort_by(browser, "top-1 %")
    check(accuracy == sorted(accuracy), "sorting by accuracy: rising")
    rows = len(set_filter(browser, ""))
    some = set_filter(browser, "int8")
    check(0 < len(some) < rows and all("int8" in text for text in some), f"filter 'int8': {len(some)} of {rows} rows")
    hidden = browser.run("return document.querySelectorAll('section.model .dot.off').length")
    check(hidden > 0, f"filtered cells fade in the charts: {hidden} dots")
    check(set_filter(browser, "no such setting") == [], "filter that nothing meets: no rows")
    set_filter(browser, "")
    browser.run("document.querySelector('input[type=checkbox]').click()")
    stars = browser.run("""return [...document.querySelector('section.model tbody').rows]
        .filter(row => !row.hidden).map(row => row.querySelector('.star') !== null)""")
    check(0 < len(stars) < rows and all(stars), f"only the front: {len(stars)} of {rows} rows")
    saved = browser.run("""
        const links = []; const click = HTMLAnchorElement.prototype.click;
        HTMLAnchorElement.prototype.click = function () { links.push(this.href.slice(0, 40) + ' ' + this.download); };
        document.querySelectorAll('figure')[0].querySelectorAll('.tools button').forEach(b => b.click());
        window.savedLinks = links; return links.length""")
    time.sleep(1)
    links = browser.run("return window.savedLinks")
    check(any(link.startswith("data:image/svg+xml") for link in links), "a chart is saved as SVG")
    check(any(link.startswith("data:image/png") for link in links), f"a chart is saved as PNG ({saved} at once)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("page")
    parser.add_argument("--pictures")
    options = parser.parse_args()
    url = Path(options.page).resolve().as_uri()
    folder = Path(options.pictures) if options.pictures else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    driver = subprocess.Popen(["chromedriver", f"--port={PORT}"], stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                call("GET", "/status")
                break
            except OSError:
                time.sleep(0.1)
        browser = Browser()
        for width in WIDTHS:
            for dark in (False, True):
                browser.open(url, width, dark)
                wide = browser.run("return document.documentElement.scrollWidth - window.innerWidth")
                name = f"{width}-{'dark' if dark else 'light'}"
                check(wide <= 0, f"{name}: nothing is wider than the window")
                if folder:
                    (folder / f"{name}.png").write_bytes(browser.picture())
        drive(browser, url)
        if folder:
            browser.open(url, 1280, False)
            browser.run("window.dispatchEvent(new Event('beforeprint'))")
            printed = browser.devtools("Page.printToPDF", preferCSSPageSize=False, printBackground=True)
            (folder / "print.pdf").write_bytes(base64.b64decode(printed["data"]))
        said = [entry["message"] for entry in browser.log("browser")]
        check(not said, f"the console is silent {said if said else ''}")
        asked = set()
        for entry in browser.log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.add(message["params"]["request"]["url"])
        outside = [one for one in asked if one != url and not one.startswith("data:")]
        check(not outside, f"nothing is requested but the file {outside if outside else ''}")
        browser.close()
    finally:
        driver.terminate()
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
