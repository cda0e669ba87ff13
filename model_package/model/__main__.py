"""The command line: `python -m model COMMAND`. Parses, delegates, turns errors into one sentence."""

import os
import signal
import sys

import typer

from model.commands import answering, ingestion, promotion, scoring, training
from model.commands.pipeline import pipeline
from model.commands.tracing import trace
from model.errors import ModelError

app = typer.Typer(
    help="Train, check and use a classifier for names.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # brackets in a help text are brackets
)
for command in (
    ingestion.ingest,
    *(training.train, training.validate, training.evaluate),
    *(answering.predict, answering.explain, answering.similar),
    scoring.score,
    *(promotion.history, promotion.promote, promotion.rollback),
    pipeline,
    trace,
):
    app.command()(command)
app.command("training_model", help="Alias of train.", hidden=True)(training.train)


def main() -> None:
    """Run the command line; what goes wrong on purpose becomes one sentence and exit code 1, Ctrl-C exit code 130."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # a KeyboardInterrupt in an import is a traceback
    # before torch is imported: its exporter warns of padded sequences, whose export is compared with torch
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        app(prog_name="python -m model")
    except ModelError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.filename is not None:
            sys.exit(f"error: {error.filename} cannot be used: {error.strerror}.")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the end would try to write again, and complain again
        sys.exit(f"error: The output cannot be written: {error.strerror}.")


if __name__ == "__main__":
    main()
