"""An executor for tests whose trials are cheap."""

from concurrent.futures import Executor, Future


class OneAfterAnother(Executor):
    """Does the work at once, in this process; an error ends the caller's loop as a lost machine would."""

    def submit(self, function, /, *given, **named):
        future = Future()
        try:
            future.set_result(function(*given, **named))
        except Exception as error:
            future.set_exception(error)
        return future
