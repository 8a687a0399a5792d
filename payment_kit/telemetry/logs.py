"""Logging for a whole process: one line per event, JSON for machines, columns for people, redacted either way."""

import logging
import sys
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from payment_kit.telemetry.redaction import redact_named

# Said by structlog itself about the line, not about what happened.
_OWN_NAMES = frozenset({"level", "timestamp", "logger", "_record", "_from_structlog"})

# Libraries that quote what they send and get, at a level of their own below this.
_QUOTING = ("stripe",)


def configure(level: str = "info", *, json: bool | None = None, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard logging of libraries to write to `stream` (stderr), once per process.

    `json` None chooses: columns when the stream is a terminal, otherwise JSON. `level` is one of debug, info, warning,
    error; ValueError for another.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"{level} is not a log level")
    target = stream or sys.stderr
    as_json = not target.isatty() if json is None else json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_last_steps(as_json, target))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _QUOTING:
        logging.getLogger(name).setLevel(logging.WARNING)


def redaction(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The processor that redacts every value of a line, the formatted traceback included."""
    return {name: value if name in _OWN_NAMES else redact_named(name, value) for name, value in event.items()}


def _last_steps(as_json: bool, target: TextIO) -> list[Processor]:
    renderer: Processor
    if as_json:
        renderer = structlog.processors.JSONRenderer(sort_keys=False, default=_shown)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=target.isatty())
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redaction,
        renderer,
    ]


def _shown(value: Any) -> str:
    return str(value)
