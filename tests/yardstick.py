"""What draws at once, on any machine: measured by the time that a plain figure takes here, in this very process."""

import time

from matplotlib import pyplot as plt


def fastest(draw, values):
    """The seconds of this process that the fastest draw takes: other work on the machine does not count."""
    seconds = []
    for value in values:
        begun = time.process_time()
        draw(value)
        seconds.append(time.process_time() - begun)
        plt.close("all")
    return min(seconds)


def plain():
    """The seconds that three empty panels take; 0.05 where this was written."""
    return fastest(lambda _: plt.subplots(1, 3)[0].canvas.draw(), range(5))


def at_once(draw, values):
    """Assert that a figure is drawn before one would notice."""
    taken, limit = fastest(draw, values), max(0.3, 6 * plain())
    assert taken < limit, f"one draw takes {taken:.2f} s, and at most {limit:.2f} s are at once"
