"""Markdown in widgets, and folded: outputs whose formulas JupyterLab draws itself, with no network."""

import ipywidgets

# What marks an output of a prediction: {"part": "question"}; "answer", which slides and a student copy do not show; or
# "fold", an empty output before what is folded, of which JupyterLab would show the first line.
PREDICTION = "application/vnd.ltcourse.prediction+json"


def shown(text: str) -> ipywidgets.Output:
    """Return a widget that shows Markdown, nothing for ""."""
    output = ipywidgets.Output(layout={"margin": "4px 0"})
    show(output, text)
    return output


def show(output: ipywidgets.Output, text: str) -> None:
    """Show another text in such a widget."""
    bundle = {"output_type": "display_data", "data": {"text/markdown": text, "text/plain": text}, "metadata": {}}
    output.outputs = (bundle,) if text else ()


def text_of(output: ipywidgets.Output) -> str:
    """Return the Markdown that such a widget shows."""
    return output.outputs[0]["data"]["text/markdown"] if output.outputs else ""


def folded(title: str, text: str) -> str:
    """Return Markdown that is hidden below its title until somebody unfolds it."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
