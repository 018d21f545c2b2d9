"""Made-up records, in which a claim can be given any answer."""

from ltcourse.experiments.runs import Record

SEEDS = 3


def made(rows, *, seeds=SEEDS, budget="paper", name="made-up", **settings):
    """A record of made-up rows: (method, round) → key → a value, or a list of one a seed."""
    trials = [
        {
            "seed": seed,
            "seconds": 1.0,
            "rows": [
                {"method": method, "round": number}
                | {key: value[seed] if isinstance(value, list) else value for key, value in row.items()}
                for (method, number), row in rows.items()
            ],
        }
        for seed in range(seeds)
    ]
    provenance = {"finished": "2026-01-01", "machine": "m", "device": "cpu", "versions": {"torch": "2"}, "code": "c"}
    plan = {"seeds": list(range(seeds)), "recipe": {"iterations": 300}}
    return Record(name, budget, plan | settings, trials, provenance)


def around(mean, apart=0.0001):
    """Three values that lie closely around a mean."""
    return [mean - apart, mean, mean + apart]


UP, DOWN, OPEN = around(0.01), around(-0.01), [-0.01, 0.002, 0.01]


def han(change, *, before=0.02, trained_on=None, top5=None, kept=1_000, network="lenet-300-100", **more):
    """A pruned network whose error changes so; top5: how its top-5 error changes; trained_on: pruned minus dense."""
    rows = {("magnitude", 0): {"kept": 12_000, "test_error": before}}
    after = [before + c for c in change]
    rows["magnitude", 5] = {"kept": kept, "test_error": after}
    rows["dense", 5] = {"kept": 12_000, "test_error": [a - d for a, d in zip(after, trained_on or change, strict=True)]}
    if top5:
        rows["magnitude", 0]["test_top5_error"] = 0.05
        rows["magnitude", 5]["test_top5_error"] = [0.05 + c for c in top5]
    return made(rows, rounds=5, network=network, **more)


def penalties(*changes):
    """Fine-tuning that changes the error so, density by density."""
    rows = {
        ("weight_decay 0", n): {"test_error_before": 0.5, "test_error": [0.5 + c for c in change], "density": 0.1}
        for n, change in enumerate(changes, 1)
    }
    return made(rows, densities=[0.3, 0.1][: len(changes)])


def lottery(*gains, stops=(1.0,) * 3, ends=None, methods=(), densities=(0.5, 0.12, 0.03), **more):
    """Tickets with these gains at their early stops over a dense network of 90 %, and other methods with theirs.

    stops: the early stop as a multiple of the dense one, round by round. ends: the gains at the end of training.
    """

    def row(gain, stop, density, end):
        counts = [round(1_000 * s) for s in stop] if isinstance(stop, list) else round(1_000 * stop)
        early, late = ([0.1 - g for g in values] for values in (gain, end))
        return {"density": density, "test_error": late, "early_stop_test_error": early, "early_stop": counts}

    none = [0.0] * len(gains[0])
    rows = {("ticket", 0): row(none, 1.0, 1.0, none)}
    for n, gain in enumerate(gains, 1):
        rows["ticket", n] = row(gain, stops[n - 1], densities[n - 1], (ends or gains)[n - 1])
    for method, theirs in dict(methods).items():
        for n, gain in enumerate(theirs, 1):
            rows[method, n] = row(gain, 2.0, densities[n - 1], gain)
    every = list(range(1, len(gains) + 1))
    plan = {"rounds": len(gains), "redrawn": every, "one_shot": every, "rewind": 100}
    return made(rows, seeds=len(gains[0]), **plan, **more)


def hidden(gains=(DOWN, UP, DOWN), *, trained=UP, kinds=(), widths=None, network="conv-2", ks=(0.1, 0.5, 1.0), **more):
    """Supermasks of 80 % and these gains at each k; trained: the supermask of the first k in the middle minus trained.

    kinds: initialization → its gains over Kaiming's at each k. widths: width → (gain of the supermask, of the trained).
    """

    def row(accuracy, k, width=1.0):
        error = [1 - a for a in accuracy]
        return {"test_error": error, "validation_error": error, "k": k, "width": width}

    curve = [[0.8 + g for g in gain] for gain in gains]
    rows = {("trained", 0): row([s - t for s, t in zip(curve[1], trained, strict=True)], 1.0)}
    for n, (k, accuracy) in enumerate(zip(ks, curve, strict=True), 1):
        rows["kaiming", n] = row(accuracy, k)
        for kind, apart in dict(kinds).items():
            rows[kind, n] = row([a + d for a, d in zip(accuracy, apart[n - 1], strict=True)], k)
    for n, (width, (supermask, its_trained)) in enumerate((widths or {}).items(), 1):
        rows["by width", n] = row([0.8 + g for g in supermask], 0.5, width)
        rows["trained", n] = row([0.8 + g for g in its_trained], 1.0, width)
    return made(rows, ks=list(ks), k=0.5, initializers=["kaiming"], network=network, **more)


def transfer(over, *, sources=("a", "b"), density=0.1, own=0.05):
    """Tickets with this lead over a random one of 80 %: (source, target) → a value a seed."""
    trials = []
    for seed in range(SEEDS):
        rows = []
        for target in ("a", "b"):
            rows.append(
                {"kind": "random", "source": target, "target": target, "round": 1, "early_stop_test_error": 0.2}
            )
            for source in sources:
                lead = over[source, target][seed] if (source, target) in over else own
                found = {"kind": "ticket", "source": source, "target": target, "round": 1, "density": density}
                rows.append(found | {"early_stop_test_error": 0.2 - lead})
        trials.append({"seed": seed, "rows": rows})
    return Record("made-up", "paper", {"seeds": list(range(SEEDS))}, trials, {})


def travel(first, second, **more):
    return transfer({("a", "b"): first, ("b", "a"): second}, **more)


def by_size(lead, half=None, **more):
    """Tickets of all of "a", and of a half of it, with these leads at "b" over those of a tenth of it."""
    level = [0.01] * SEEDS
    leads = {(s, t): level for s in ("a", "half", "tenth") for t in ("a", "b")}
    leads |= {(s, "b"): [0.01 + g for g in gains] for s, gains in (("a", lead), ("half", half or lead))}
    return transfer(leads, sources=("a", "half", "tenth"), **more)
