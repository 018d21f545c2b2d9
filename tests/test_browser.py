"""In a real browser with no network: each lesson in JupyterLab, its widgets under keys and mouse, and its slides.

Whatever the browser asks for outside of this machine is refused and counted. Skipped where there is no Chromium.
"""

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from urllib.request import urlopen

import nbformat
import pytest
from playwright.sync_api import sync_playwright

from ltcourse import cli
from ltcourse.stage import lecture, slides

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
LESSONS = [pytest.param(file, id=file.stem) for file in lecture.lessons()]
HERE = re.compile(r"(https?|wss?)://127\.0\.0\.1[:/]|file:|data:|blob:|about:")

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None,
        reason="no Chromium or Chrome is installed: `apt-get install chromium`, and these tests run",
    ),
    pytest.mark.skipif(
        os.environ.get("LTCOURSE_BROWSER") == "0",
        reason="LTCOURSE_BROWSER=0 leaves out the tests in a browser, which take some minutes",
    ),
]


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        # Nobody answers at port 9: what is not on this machine cannot be reached, whatever the machine is connected to.
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--proxy-server=http://127.0.0.1:9"]
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser):
    """A page that reaches only this machine; its test fails if it asked for anything else, or if a script failed."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(240_000)  # of patience with a busy machine
    outside, failed = [], []
    context.on("request", lambda request: None if HERE.match(request.url) else outside.append(request.url))
    opened = context.new_page()
    opened.on("websocket", lambda socket: None if HERE.match(socket.url) else outside.append(socket.url))
    opened.on("pageerror", lambda error: failed.append(str(error)))
    yield opened
    context.close()
    assert outside == [], "requests to the outside"
    assert failed == [], "errors of scripts"


# JupyterLab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on copies of the notebooks, at the smoke budget: its address and its token."""
    root = tmp_path_factory.mktemp("lab")
    shutil.copytree(lecture.NOTEBOOKS, root / "notebooks")
    nbformat.write(predicting(root / "predicted"), root / "notebooks" / "predicting.ipynb")
    token = secrets.token_hex(16)
    options = {
        "ServerApp.root_dir": root,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": 0,  # one that is free
        "IdentityProvider.token": token,
        "LabApp.expose_app_in_browser": True,
    }
    environment = {
        **os.environ,
        "LTCOURSE_BUDGET": "smoke",
        "LTCOURSE_ANSWERS": str(root / "answers"),
        "JUPYTER_CONFIG_PATH": str(cli.JUPYTER),
        "JUPYTERLAB_SETTINGS_DIR": str(root / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces"),
    }
    environment.pop("LTCOURSE_BUILD", None)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    with (root / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, cli.STYLE, *(f"--{name}={value}" for name, value in options.items())],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield address_of(server, root / "log", token), token
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()


def address_of(server, log, token):
    """The address that its log names, once it answers there."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        if named := re.search(r"http://127\.0\.0\.1:\d+(?=/)", log.read_text()):
            try:
                with urlopen(f"{named[0]}/api/status?token={token}", timeout=60):
                    return named[0]
            except OSError:
                pass
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab does not answer:\n{log.read_text()}")


RUN_ALL = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
    return panel.content.widgets.map((cell, index) => {
        const outputs = cell.model.outputs ? cell.model.outputs.toJSON() : [];
        return {
            index,
            code: cell.model.type === "code",
            source: cell.model.sharedModel.getSource(),
            tags: cell.model.getMetadata("tags") || [],
            count: cell.model.executionCount,
            widget: outputs.some((output) => "application/vnd.jupyter.widget-view+json" in (output.data || {})),
            errors: outputs
                .filter((output) => output.output_type === "error")
                .map((output) => `${output.ename}: ${output.evalue}`),
        };
    });
}"""
# The kernel answers when it has taken in what the sliders said before, and a moment longer than it waits to draw it.
AT_REST = """async () => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const code = "import asyncio; await asyncio.sleep(0.1)";
    await kernel.requestExecute({ code, silent: true, store_history: false }).done;
}"""
PICTURE = """async (image) => {
    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
    let hash = 5381;
    for (const byte of bytes) hash = (hash * 33 + byte) >>> 0;
    return `${bytes.length}-${hash}`;
}"""


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_runs_in_jupyterlab_and_its_widgets_respond(page, lab, lesson):
    opened_in_lab(page, lab, lesson.name)
    cells = page.evaluate(RUN_ALL)
    code = [cell for cell in cells if cell["code"]]
    assert code and all(cell["count"] for cell in code if cell["source"].strip()), "not every cell was run"
    failed = [cell for cell in code if cell["errors"] and "raises-exception" not in cell["tags"]]
    assert not failed, failed
    for cell in code:
        ways = [way for shows, way in WIDGETS.items() if shows in cell["source"]]
        assert cell["widget"] == bool(ways), (
            f"a widget not in WIDGETS, or one there that is not shown: {cell['source']}"
        )
        for root, tried in ways:
            tried(page, scrolled_to(page, cell["index"], root))
    assert page.locator(".jp-Dialog").count() == 0, "a dialog is in the way"
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def opened_in_lab(page, lab, name):
    """Open a notebook, and wait for its kernel."""
    address, token = lab
    page.goto(f"{address}/lab/tree/notebooks/{name}?token={token}&reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook")
    page.wait_for_function("window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel != null")


LOOK = """() => {
    const image = document.querySelector(".jp-RenderedImage img");
    const table = document.querySelector(".jp-RenderedHTMLCommon table");
    return {
        letters: parseFloat(getComputedStyle(table).fontSize),
        width: image.getBoundingClientRect().width,
        filter: getComputedStyle(image).filter,
    };
}"""


def test_tables_and_figures_grow_with_the_presentation_mode_and_figures_are_dimmed_in_a_dark_theme(page, lab):
    address, token = lab
    page.set_viewport_size({"width": 1920, "height": 1080})  # where a figure has room to grow
    page.goto(f"{address}/lab/tree/notebooks/00_start_here.ipynb?token={token}&reset")
    for part in (".jp-RenderedHTMLCommon table", ".jp-RenderedImage img"):
        page.wait_for_selector(part, state="attached")

    def after(command, done, complaint, **arguments):
        # each theme is loaded behind a splash, which two at a time would take away twice
        page.wait_for_selector("#jupyterlab-splash", state="detached")
        page.evaluate("([id, all]) => window.jupyterapp.commands.execute(id, all)", [command, arguments])
        until(lambda: done(page.evaluate(LOOK)), complaint)

    until(lambda: page.evaluate(LOOK)["width"] > 0, "the figure is not drawn")
    before = page.evaluate(LOOK)
    assert before["filter"] == "none", "the theme is light"
    after(
        "application:toggle-presentation-mode",
        lambda now: now["letters"] >= 1.2 * before["letters"] and now["width"] >= 1.2 * before["width"],
        "table and figure stay as small as they were",
    )
    dark = re.compile(r"brightness\(0\.\d+\)")
    theme = "apputils:change-theme"
    after(theme, lambda now: dark.fullmatch(now["filter"]), "the figure glares", theme="JupyterLab Dark")
    after(theme, lambda now: now["filter"] == "none", "the figure stays dim", theme="JupyterLab Light")
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def scrolled_to(page, index, root):
    """The widget in the cell of that index, in view."""
    page.evaluate(
        """(index) => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            notebook.activeCellIndex = index;
            return notebook.scrollToItem(index, "start");
        }""",
        index,
    )
    widget = page.locator(f'.jp-Cell[data-windowed-list-index="{index}"] {root}').first
    widget.wait_for()
    return widget


def try_explorer(page, explorer):
    """Each slider moves by keys; the first one also by the mouse, and fast."""
    image, readouts = explorer.locator("img"), explorer.locator(".widget-readout")
    handles = explorer.locator(".noUi-handle")
    assert handles.count() == readouts.count() > 0
    for i in range(handles.count()):
        said, shown = readouts.nth(i).inner_text(), image.evaluate(PICTURE)
        handles.nth(i).focus()
        # the middle is shown first, and there is a value to its left; of a picture in steps the first step
        page.keyboard.press("ArrowRight" if "playing" in (explorer.get_attribute("class") or "") else "ArrowLeft")
        until(lambda i=i, said=said: readouts.nth(i).inner_text() != said, "the slider does not move")
        until(lambda shown=shown: image.evaluate(PICTURE) != shown, "the picture does not change")
    handle = handles.first
    for _ in range(50):
        handle.press("ArrowLeft", no_wait_after=True)
    first = settled(page, readouts.first, image)
    handle.press("ArrowRight")
    until(lambda: settled(page, readouts.first, image) != first, "the slider is stuck at its end")
    handle.press("ArrowLeft")
    until(lambda: settled(page, readouts.first, image) == first, "after fifty fast moves another picture was shown")
    handle.scroll_into_view_if_needed()
    box, track = handle.bounding_box(), explorer.locator(".noUi-base").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] + 5, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    until(lambda: settled(page, readouts.first, image) != first, "the mouse does not drag the slider")
    for _ in range(3):
        handle.press("ArrowRight")
    last = settled(page, readouts.first, image)
    assert last[0] != first[0], "the other end is another value"
    assert explorer.locator(".widget-label").last.inner_text().strip() == "", "the widget tells of a problem"
    over = explorer.evaluate("(box) => [box.scrollWidth - box.clientWidth, box.scrollHeight - box.clientHeight]")
    assert max(over) <= 0, f"the widget has scrollbars: {over} pixels do not fit its cell"
    width = image.bounding_box()["width"]
    assert width > 700, f"a picture of {width:.0f} pixels is too small for a projector"


def try_quiz(page, quiz):
    """By keys alone: a wrong option and the right one, each with its reply, and on to the next question."""

    def options():
        return quiz.locator("button").filter(has_text=re.compile("^[A-H]$"))

    def focused(words):
        return page.evaluate("document.activeElement.innerText") == words

    asked = quiz.inner_text()
    options().first.focus()
    for letter in "ABCDEFGH"[: options().count()]:
        page.keyboard.press("Space")
        until(lambda letter=letter: re.search(f"[✔✘] {letter} ·", quiz.inner_text()), "nothing is replied")
        if "✔" in quiz.inner_text():
            break
        until(lambda: "Try another option" in quiz.inner_text(), "no other try is offered")
        page.keyboard.press("Tab")
    until(lambda: focused("Next"), "the next key is not expected at Next")
    page.keyboard.press("Enter")
    until(lambda: focused("A"), "the next key is not expected at the first option")
    until(lambda: quiz.inner_text() != asked and "to go" in quiz.inner_text(), "no other question is asked")


def try_choice(page, choice):
    """By the mouse: each option has a reply, and one of them is right."""
    buttons, replies = choice.locator("button"), set()
    for i in range(buttons.count()):
        buttons.nth(i).click()
        until(lambda letter="ABCDEFGH"[i]: re.search(f"[✔✘] {letter} ·", choice.inner_text()), "nothing is replied")
        replies.add(re.search("[✔✘] .*", choice.inner_text())[0])
    assert len(replies) == buttons.count() > 2 and sum("✔" in reply for reply in replies) == 1


def try_own_words(page, answer):
    """By keys: write, see one point after the other, tick what one has said, and be told what is missing."""
    button = answer.locator("button").last
    answer.locator("textarea").fill(
        "A dense network contains a smaller network that trains to the same accuracy alone."
    )
    button.focus()
    points, number, count = answer.get_by_text(re.compile(r"^\d of \d · ")), 0, 1
    while number < count:
        page.keyboard.press("Enter")
        number += 1
        until(lambda number=number: points.count() == number, "the next point does not come")
        count = int(re.match(rf"{number} of (\d) · ", points.last.inner_text())[1])
        says = "Does it say anything wrong?" if number == count else "Show the next point"
        until(lambda says=says: button.inner_text() == says, "the button does not say what comes next")
    assert count > 2
    page.keyboard.press("Enter")
    until(lambda: button.inner_text() == "What is missing?", "what wrong answers say does not come")
    answer.locator("input[type=checkbox]").first.focus()
    page.keyboard.press("Space")
    button.focus()
    page.keyboard.press("Enter")
    until(button.is_disabled, "it goes on for ever")
    until(lambda: f"says 1 of the {count} points" in answer.inner_text(), "the tick is not counted")
    until(lambda: "Still missing" in answer.inner_text(), "what is missing is not told")


def try_prediction(page, asked):
    """By keys: whatever the kind, something is answered, and it is said to be kept."""
    if asked.locator("input[type=checkbox]").count():
        asked.locator("input[type=checkbox]").first.focus()
        page.keyboard.press("Space")
    asked.locator("button").last.focus()
    page.keyboard.press("Enter")
    until(lambda: "Kept: " in asked.inner_text(), "the answer is not kept")


# What shows a widget in a lesson: where it is in the output, and how it is tried.
_BOX = ".jp-OutputArea-output .widget-vbox"
WIDGETS = {
    "widgets.explore(": (".ltcourse-explorer", try_explorer),
    "predict(": (".ltcourse-prediction", try_prediction),
    "quiz.Quiz(": (_BOX, try_quiz),
    "quiz.MultipleChoice(": (_BOX, try_choice),
    "own_words.OwnWords(": (_BOX, try_own_words),
}


def settled(page, readout, image):
    """What the slider says and the picture shows, once the kernel has drawn it and neither changes any more."""
    before = []
    for _ in range(100):
        page.evaluate(AT_REST)
        now = readout.inner_text(), image.evaluate(PICTURE)
        if before[-2:] == [now, now]:
            return now
        before.append(now)
    raise AssertionError("the picture does not come to rest")


def until(condition, complaint, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, complaint
        time.sleep(0.05)


# Predictions


MEASURED = """figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
plots.against_density({"magnitude": {1.0: [0.97], 0.5: [0.96], 0.1: [0.6]}}, left, ylabel="accuracy")
plots.against_density({"ticket": {1.0: [0.74], 0.5: [0.73], 0.125: [0.667]}}, right, ylabel="accuracy")
reveal("01.magnitude", 0.4, left, along="x")
reveal("04.ticket", 0.667, right, x=0.125, begin=(1.0, 0.74))
reveal("01.distribution", "peak", left)
reveal("01.layers", ["conv1", "conv2", "fc2", "fc1"], right)"""


def predicting(answers):
    """A notebook with a prediction of each kind, and with the result that was stored when it was built.

    answers: where it keeps them, apart from those of the lessons, which ask the same.
    """
    empty = nbformat.v4.new_output("display_data", {"text/markdown": "", "text/plain": ""})  # as the builder puts it
    built = [empty, nbformat.v4.new_output("stream", text="what was stored\n")]
    apart = f"import os\nos.environ['LTCOURSE_ANSWERS'] = {str(answers)!r}\n"
    imports = f"{apart}import matplotlib.pyplot as plt\nfrom ltcourse.display import plots\nplots.use_style()\n"
    asked, shown = ({"jupyter": {part: True}} for part in ("source_hidden", "outputs_hidden"))
    return nbformat.v4.new_notebook(
        metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        cells=[
            nbformat.v4.new_code_cell(f"{imports}from ltcourse.classroom.predictions import predict, reveal, summary"),
            nbformat.v4.new_code_cell('predict("01.distribution", "01.magnitude")', metadata=asked),
            nbformat.v4.new_code_cell('predict("01.layers", "04.ticket", begin=0.74)', metadata=asked),
            nbformat.v4.new_code_cell(MEASURED, metadata=shown, outputs=built, execution_count=1),
            nbformat.v4.new_code_cell('summary("01")', metadata=asked),
        ],
    )


RUN_CELL = """async (index) => {
    const panel = window.jupyterapp.shell.currentWidget;
    panel.content.activeCellIndex = index;
    await window.jupyterapp.commands.execute("notebook:run-cell");
    return panel.content.widgets[index].model.outputs.toJSON().filter((one) => one.output_type === "error");
}"""


def test_predictions_are_answered_by_keys_and_mouse_kept_and_drawn(page, lab):
    """Each kind: by keys before the result, by mouse after it; the first answer counts, also after a restart."""
    opened_in_lab(page, lab, "predicting.ipynb")
    page.wait_for_selector(".jp-OutputPlaceholder")
    assert not page.get_by_text("what was stored").is_visible(), "the stored result is not folded"
    for index in range(3):
        assert page.evaluate(RUN_CELL, index) == []
    assert not page.locator('.jp-Cell[data-windowed-list-index="1"] .jp-InputArea-editor').is_visible()
    answered_by_keys(page)
    assert page.evaluate(RUN_CELL, 3) == [] and page.evaluate(RUN_CELL, 4) == []
    result = scrolled_to(page, 3, ".jp-OutputArea")
    until(lambda: result.locator("img").is_visible(), "running a cell does not unfold its output")
    for said in ("you: 30 %", "you: two groups", "you: conv1 > fc1 > fc2 > conv2", "points too high"):
        assert said in result.inner_text(), result.inner_text()
    assert "in 1 of 3" in scrolled_to(page, 4, ".jp-OutputArea").inner_text()
    answered_by_mouse(page)
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    cells = page.evaluate(RUN_ALL)
    assert all(cell["count"] and not cell["errors"] for cell in cells)
    result = scrolled_to(page, 3, ".jp-OutputArea")
    until(lambda: "second answer, after it: one peak" in result.inner_text(), "the second answer is lost")
    assert "you: two groups" in result.inner_text(), "the first answer is overwritten"
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def asked_in(page, index, number):
    """The prediction of that number in a cell, in view."""
    scrolled_to(page, index, ".ltcourse-prediction")
    box = page.locator(f'.jp-Cell[data-windowed-list-index="{index}"] .ltcourse-prediction').nth(number)
    box.scroll_into_view_if_needed()
    return box


def kept_by(page, box, key, said):
    """Press the button with a key, or with the mouse where there is none, and wait for what is said."""
    button = box.get_by_text("Keep my prediction")
    if key:
        button.focus()
        page.keyboard.press(key)
    else:
        button.click()
    until(lambda: said in box.inner_text(), f"{said!r} is not said")


def answered_by_keys(page):
    choice = asked_in(page, 1, 0)
    kept_by(page, choice, "Enter", "Choose an answer first.")
    options = choice.locator("input[type=checkbox]")
    options.nth(1).focus()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    until(lambda: [options.nth(i).is_checked() for i in range(2)] == [True, False], "two options are chosen")
    kept_by(page, choice, "Enter", "Kept: two groups")
    number = asked_in(page, 1, 1)
    typed(page, number, "30")
    kept_by(page, number, "Space", "Kept: 30 %")
    order = asked_in(page, 2, 0)
    order.get_by_text("▲ up").nth(1).focus()
    page.keyboard.press("Enter")
    until(lambda: "1. conv1" in order.inner_text(), "an item does not move up")
    until(lambda: "down" in page.evaluate("document.activeElement.innerText"), "the focus does not go along")
    kept_by(page, order, "Enter", "Kept: conv1 > fc1 > fc2 > conv2")
    curve = asked_in(page, 2, 1)
    before = curve.locator("img").evaluate(PICTURE)
    typed(page, curve, "74.5")
    until(lambda: curve.locator("img").evaluate(PICTURE) != before, "the end of the curve does not move")
    kept_by(page, curve, "Enter", "Kept: 74.5 %")


def answered_by_mouse(page):
    choice = asked_in(page, 1, 0)
    choice.get_by_text("one peak around 0, with no gap").click()
    kept_by(page, choice, "", "stays two groups. This answer, one peak around 0, is kept as a second one.")
    number = asked_in(page, 1, 1)
    dragged(page, number.locator(".noUi-handle"), 150, 0)
    kept_by(page, number, "", "stays 30 %. This answer, ")
    order = asked_in(page, 2, 0)
    order.get_by_text("▼ down").first.click()
    until(lambda: "1. fc1" in order.inner_text(), "an item does not move down")
    kept_by(page, order, "", "stays conv1 > fc1 > fc2 > conv2. This answer, fc1 > conv1")
    curve = asked_in(page, 2, 1)
    dragged(page, curve.locator(".noUi-handle"), 0, 60)
    kept_by(page, curve, "", "stays 74.5 %. This answer, ")


def typed(page, box, number):
    """Type a number into its field."""
    box.locator("input[type=number]").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type(number)
    page.keyboard.press("Tab")


def dragged(page, handle, right, down):
    """Drag a slider's handle with the mouse."""
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=8)
    page.mouse.up()


# Slides


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    return {"lecture": slides.write_lecture(folder)} | {
        file.stem: slides.write(file, folder) for file in lecture.lessons()
    }


def opened(page, file, query=""):
    page.goto(file.as_uri() + query)
    page.wait_for_function("window.Reveal && Reveal.isReady()")


@pytest.mark.parametrize("deck", ["lecture", *(file.stem for file in lecture.lessons())])
def test_key_by_key_everything_fits_and_can_be_read_from_the_last_row(page, exported, deck):
    file, count = exported[deck]
    opened(page, file)
    found = page.evaluate(STEP_THROUGH)
    assert len(found["seen"]) == len(set(found["seen"])) == count, "each page comes once"
    assert not found["problems"], "\n".join(found["problems"])


# At every key from the first slide to the last: what does not fit, is not there, or is too small. A slide is drawn in
# 720 lines, so 20 pixels of 1080 lines are 13.33 here, and the 18 of code are 12.
STEP_THROUGH = """() => {
    const seen = [], problems = [];
    const tall = (element) => element.getBoundingClientRect().height;
    const hidden = (element) => element.closest("details") || element.closest(".fragment:not(.visible)");
    const look = (slide) => {
        const body = slide.querySelector(".body"), found = [];
        const [taller, wider] = [body.scrollHeight - body.clientHeight, body.scrollWidth - body.clientWidth];
        if (taller > 2) found.push(`too tall by ${taller}`);
        if (wider > 2) found.push(`too wide by ${wider}`);
        for (const formula of slide.querySelectorAll(".formula"))
            if (!hidden(formula) && !formula.closest("aside") && tall(formula) < 5)
                found.push(`no formula ${formula.ariaLabel}`);
        for (const image of body.querySelectorAll("img")) {
            if (!image.complete || !image.naturalWidth) found.push("a picture is broken");
            else if (!image.closest(".figure") || hidden(image)) continue;
            const drawn = image.src.startsWith("data:image/svg") ? 96 : 80;  // pixels an inch
            const scale = Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
            const letters = scale * drawn * 13 / 72;
            if (letters < 13.2) found.push(`a figure with letters of ${letters} pixels`);
        }
        for (const text of body.querySelectorAll("p, li, td, th, pre, figcaption, .minutes")) {
            const size = parseFloat(getComputedStyle(text).fontSize);
            if (!hidden(text) && size < (text.matches("pre.code") ? 12 : 13.33)) found.push(`letters of ${size}`);
        }
        for (const folded of slide.querySelectorAll("details"))
            if (folded.open && !folded.closest("aside")) found.push("a solution is not folded");
        return found;
    };
    for (let key = 0; key < 2000; key++) {
        const slide = Reveal.getCurrentSlide(), { h, v } = Reveal.getIndices(slide), at = `${h}/${v}`;
        if (seen.at(-1) !== at) seen.push(at);
        problems.push(...look(slide).map((said) => `${at} "${slide.querySelector("h2").textContent}": ${said}`));
        if (Reveal.isLastSlide() && !Reveal.availableFragments().next) break;
        Reveal.next();
    }
    return { seen, problems: [...new Set(problems)] };
}"""


@pytest.fixture
def presenter(page, exported):
    """The lecture on its fifth slide, and the instructor's window."""
    opened(page, exported["lecture"][0])
    page.evaluate("localStorage.clear()")
    for _ in range(4):
        page.keyboard.press("PageDown")
    page.evaluate("while (Reveal.availableFragments().next) Reveal.next()")
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    return popup.value


HERE_AND_NEXT = (
    "[0, 1].map((step) => Reveal.getSlides()[Reveal.getSlidePastCount() + step].querySelector('h2').innerText)"
)


def test_the_instructor_sees_the_notes_and_the_next_slide_and_turns_pages(page, presenter):
    here, following = page.evaluate(HERE_AND_NEXT)
    until(lambda: presenter.inner_text("#here") == here, "no slide is named")
    assert "Expect" in presenter.inner_text("#said") and presenter.inner_text("#then") == f"Next: {following}"
    assert presenter.inner_text("#next h2") == following
    picture, frame = (presenter.locator(at).bounding_box() for at in ("#next .page", "#next"))
    assert abs(picture["width"] - frame["width"]) < 4 and abs(picture["height"] - frame["height"]) < 4
    presenter.keyboard.press("PageDown")
    until(lambda: presenter.inner_text("#here") != here, "the notes stay behind")
    presenter.keyboard.press("b")
    until(lambda: page.evaluate("Reveal.isPaused()"), "B does not blank the slides")
    presenter.keyboard.press("b")
    until(lambda: not page.evaluate("Reveal.isPaused()"), "B does not bring them back")


def test_the_clock_starts_pauses_resets_survives_a_reload_and_turns_red(page, presenter):
    page.evaluate("watch.state = { ran: 125000, since: null }; watch.save(); tick()")
    assert presenter.inner_text("#time") == "2:05"
    presenter.click("#toggle")
    until(lambda: presenter.inner_text("#time") not in ("", "2:05"), "the clock stands still")
    presenter.click("#toggle")
    assert page.evaluate("watch.state.since") is None, "it is paused"
    ran = page.evaluate("watch.state.ran")
    page.reload()
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    assert page.evaluate("watch.state.ran") == ran >= 126_000
    until(presenter.is_closed, "the window of the slides that are gone stays")
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    again = popup.value
    shown = f"{ran // 60_000}:{ran % 60_000 // 1000:02d}"
    until(lambda: again.inner_text("#time") == shown, "the time is not the one that was kept")
    for ran, late in ((0, False), (3_600_000, True)):
        page.evaluate(f"watch.state = {{ ran: {ran}, since: null }}; tick()")
        assert ("late" in (again.get_attribute("#time", "class") or "")) == late
    again.click("#reset")
    assert again.inner_text("#time") == "0:00" and page.evaluate("watch.minutes()") == 0


def test_up_and_down_go_to_other_sections(page, exported):
    opened(page, exported["00_start_here"][0])
    for key, expected in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1)):
        page.keyboard.press(key)
        assert page.evaluate("Reveal.getIndices().h") == expected


def test_printed_they_are_one_page_a_slide(page, exported, tmp_path):
    file, count = exported["00_start_here"]
    opened(page, file, "?print-pdf")
    page.wait_for_selector(".pdf-page")
    page.pdf(path=tmp_path / "slides.pdf", prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "slides.pdf").read_bytes())) == count


def test_what_comes_from_outside_is_refused_and_counted(browser, tmp_path):
    """The guard of `page` works: without it every test here would be vacuous."""
    bad = tmp_path / "bad.html"
    bad.write_text('<script src="http://203.0.113.1/x.js"></script>')
    context = browser.new_context()
    asked, refused = [], []
    context.on("request", lambda request: None if HERE.match(request.url) else asked.append(request.url))
    context.on("requestfailed", lambda request: refused.append(request.url))
    context.new_page().goto(bad.as_uri())
    assert asked == refused == ["http://203.0.113.1/x.js"]
    context.close()


def test_each_widget_of_the_lessons_is_tried():
    """Each way to show one is a lesson's, or it would be tried nowhere; a way that is new fails in its lesson above."""
    sources = [
        cell.source
        for file in lecture.lessons()
        for cell in nbformat.read(file, as_version=4).cells
        if cell.cell_type == "code"
    ]
    assert not [shows for shows in WIDGETS if not any(shows in source for source in sources)]
    assert not [source for source in sources if re.search(r"\binteract|ipywidgets", source)]
