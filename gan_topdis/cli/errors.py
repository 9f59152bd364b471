"""Which errors become one line on stderr, and which stay tracebacks."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import click

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""
_RAISE = dis.opmap["RAISE_VARARGS"]
_FILLS_MEMORY = ("--max-batch", "--batch-size", "--points", "--feature-size", "--resolution")
"""Options that memory grows with; no verb has all of them."""


class Interrupted(click.ClickException):
    """Ctrl-C; the message says what was kept."""

    exit_code = INTERRUPTED

    def show(self, file: object = None) -> None:
        click.echo(f"Interrupted: {self.message}", err=True)


@contextmanager
def expected_errors() -> Iterator[None]:
    """Turns expected errors into one line on stderr and exit code 1; bugs keep their traceback.

    Expected are: errors of the disk; a full device memory; Ctrl-C (exit code 130); and ValueError,
    TypeError, IndexError and ImportError that a `raise` statement of gan_topdis raised, which is how it
    refuses input and asks for an extra. The same errors out of a computation, ours or a library's, are bugs.
    """
    try:
        yield
    except click.ClickException:
        raise
    except KeyboardInterrupt:
        raise Interrupted("nothing more was written") from None
    except OSError as error:
        raise click.ClickException(one_line(error)) from error
    except (ValueError, TypeError, IndexError, ImportError) as error:
        if not raised_on_purpose(error):
            raise
        raise click.ClickException(one_line(error)) from error
    except RuntimeError as error:
        # of torch, which is not imported here; without a GPU its allocator raises a plain RuntimeError
        full = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
        if not full:
            raise
        raise click.ClickException(f"the device is out of memory; {_memory_advice()}") from error


def one_line(error: BaseException) -> str:
    """The message of an error without line ends; of an OSError its file and reason."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _memory_advice() -> str:
    """What to do, in options that the running verb has."""
    context = click.get_current_context(silent=True)
    known = set() if context is None else {name for option in context.command.params for name in option.opts}
    smaller = " or ".join(name for name in _FILLS_MEMORY if name in known)
    advice = f"choose a smaller {smaller}" if smaller else "give it less at a time"
    return f"{advice}, or --device cpu" if "--device" in known else advice


def raised_on_purpose(error: BaseException) -> bool:
    """Whether a `raise` statement of gan_topdis raised the error.

    A failing call of compiled code (torch, numpy, int()) leaves our calling frame innermost too, but
    there the last instruction is a call.
    """
    innermost: TracebackType | None = error.__traceback__
    if innermost is None:
        return False
    while innermost.tb_next is not None:
        innermost = innermost.tb_next
    module = str(innermost.tb_frame.f_globals.get("__name__", ""))
    instruction = innermost.tb_frame.f_code.co_code[innermost.tb_lasti]
    return module.partition(".")[0] == "gan_topdis" and instruction == _RAISE
