"""The page of the question that people ask most: why is a pruned network neither faster nor smaller?"""

import gzip
import io
from pathlib import Path

import lesson_pages
import torch
from torch.nn.utils import prune
from written import Site

from ltcourse.display.markdown import PREDICTION
from ltcourse.display.tables import Table, percent
from ltcourse.experiments import runs
from ltcourse.files import ROOT
from ltcourse.instruments import storage
from ltcourse.networks import masks, models
from ltcourse.pruning import criteria

TEXT = Path(__file__).resolve().parent / "faster.md"
KEPT = 0.2
LESSON = "02_han_tables"


def page(site: Site) -> str:
    """Return the page in Markdown, its numbers counted here, or those that lesson 02 or a record has stored.

    Raises ValueError where lesson 02 has no such cell.
    """
    record = runs.load("structured-lenet-5", "desk")
    filled = {
        "bytes": _bytes(),
        "milliseconds": _stored(site, "Is a sparse network faster?"),
        "break-even": _stored(site, "Sparse products pay off only at low density"),
        "arithmetic": _stored(site, "The same masks save much less arithmetic than memory"),
        "neurons": _stored(site, "Pruning weights removes few neurons"),
        "seeds": str(len(record.trials)),
        "filters": _filters(record),
    }
    text = TEXT.read_text(encoding="utf-8")
    for name, value in filled.items():
        text = text.replace(f"@{name}@", value)
    return text


def _bytes() -> str:
    """The bytes of LeNet-300-100's weights, dense and pruned, in each way to keep them."""
    network = models.create("lenet-300-100", seed=0)
    weights = {name: p.detach() for name, p in masks.prunable(network).items()}
    whole = masks.dense(network)
    dense = storage.size(weights, whole, "dense")
    mask = criteria.magnitude(weights, whole, 1 - KEPT)
    rows: list[tuple[str, int]] = [
        ("dense, before pruning", dense),
        ("dense, after pruning", storage.size(weights, mask, "dense")),
        ("with `torch.nn.utils.prune`, its masks kept", _with_masks()),
        ("dense, after pruning, compressed by gzip", len(gzip.compress(_as_file(weights, mask), mtime=0))),
    ]
    rows += [(f"`{form}`", storage.size(weights, mask, form)) for form in storage.FORMATS[1:-1]]
    header = ["kept as", "bytes", "of dense"]
    return Table(header, [[name, f"{size:,}", percent(size / dense, 0)] for name, size in rows])._repr_markdown_()


def _with_masks() -> int:
    """The bytes of all weights and masks in the state of a network under PyTorch's own pruning."""
    network = models.create("lenet-300-100", seed=0)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Linear):
            prune.l1_unstructured(layer, "weight", amount=1 - KEPT)
    return sum(t.numel() * t.element_size() for name, t in network.state_dict().items() if "weight" in name)


def _as_file(weights: dict[str, torch.Tensor], mask: dict[str, torch.Tensor]) -> bytes:
    file = io.BytesIO()
    for name, weight in weights.items():
        file.write((weight * mask[name]).numpy().tobytes())
    return file.getvalue()


def _stored(site: Site, title: str) -> str:
    """What a cell of lesson 02 has shown, as Markdown."""
    whole = lesson_pages.read(ROOT / "notebooks", students=False)  # a student copy's cells have no titles
    lesson = next(lesson for lesson in whole if lesson.name == LESSON)
    parts = []
    for place, output in enumerate(lesson.outputs(title)):
        if PREDICTION in output.get("data", {}):  # what was asked stands in the lesson
            continue
        if output["output_type"] == "stream":
            parts.append(f"```text\n{''.join(output['text']).rstrip()}\n```")
            continue
        for made in site.pages.output(
            output, f"faster-{title[:12].lower().replace(' ', '-')}-{place}", title, "lessons/"
        ):
            data = made["data"]
            parts.append(
                data["text/markdown"] if "text/markdown" in data else f"```{{raw}} html\n{data['text/html']}\n```"
            )
    return "\n\n".join(parts)


def _filters(record: runs.Record) -> str:
    """LeNet-5 with fewer filters: what is left, and how well it does, fine-tuned and trained anew."""
    dense = record.values("dense", 0, "test_error")
    weights = record.values("dense", 0, "kept")[0]
    rows = [["all", f"{weights:,}", "100 %", _mean(dense), "–"]]
    for number, share in enumerate(record.settings["shares"], 1):
        kept = record.values("fine-tuned", number, "kept")[0]
        tuned, fresh = (record.values(method, number, "test_error") for method in ("fine-tuned", "from scratch"))
        rows.append([f"{100 * share:g} %", f"{kept:,}", percent(kept / weights), _mean(tuned), _mean(fresh)])
    return Table(["filters kept", "weights", "of all", "fine-tuned", "from new weights"], rows)._repr_markdown_()


def _mean(values: list[float]) -> str:
    return percent(sum(values) / len(values), 2)
