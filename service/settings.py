"""What a server process is told: by arguments, else by SLIPWAY_* variables as containers prefer."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
PROVIDERS = ("cpu", "cuda", "tensorrt", "openvino")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Arguments of `python -m slipway.service`; `--max-body 5` and SLIPWAY_MAX_BODY=5 say the same.

    Sizes are bytes, times seconds. The descriptors are inherited from a supervisor, which keeps the socket.
    """

    artifact: Path = Path(__file__).parents[1] / "artifact"
    name: str = ""  # of the service in metrics; the model's name if empty
    host: str = "127.0.0.1"
    port: int = 3000
    fd: int | None = None  # a listening socket, instead of host and port
    access: str = ""  # the access file, or `open`: no credentials, on this machine alone; else only health is answered
    seen: str = ""  # a file that remembers which prediction tokens were scored; in this process's memory if empty
    feedback_days: float = 30.0  # for which a prediction token can be scored
    log: str = "WARNING"  # the least level that is written
    log_requests: float = 0.0  # the share of answered requests that a line is written about
    log_inputs: float = 0.0  # the share of requests whose input is written, masked
    mask_fields: str = ""  # names of fields to mask in logs besides the usual, as a JSON array
    mask_patterns: str = ""  # regular expressions to mask in logs besides the usual, as a JSON array
    page_port: int | None = None  # a second port, of the loopback address alone, that serves all this and the page
    metrics_port: int | None = None  # where /metrics is, on the same host; nowhere if not set
    metrics_fd: int | None = None  # a listening socket, instead of metrics_port
    ready_fd: int | None = None  # gets "ready\n" once requests are accepted
    parent_fd: int | None = None  # a pipe: its end means that the supervisor is gone
    provider: str = "cpu"  # what runs the model: cpu, cuda, tensorrt or openvino; nothing takes over silently
    threads: int = 1  # of one run; a process for each core serves more than threads do
    max_body: int | None = None  # a million, or four times the example where that is more
    max_batch: int = 1024  # samples in one request
    max_text: int = 10_000  # characters of one string
    max_queue: int = 128  # requests that wait for the model; more are refused with 429
    max_connections: int = 4096  # beyond that, whoever has done least for longest is closed
    max_held: int | None = None  # bytes of connections, unfinished requests and unread answers; 32 MB, or 12 bodies
    max_explain: int = 4  # explanations that run or wait; more are refused with 429, 0 gives none at all
    explain_seconds: float = 2.0  # for gathering one explanation's samples
    limit_range: int = 0  # 1 refuses inputs outside the minimum and maximum of the signature
    header_seconds: float = 10.0  # for a request's head to arrive
    body_seconds: float = 10.0  # for a request's body to arrive, and for an answer to be taken
    exchange_seconds: float = 120.0  # for all of one request, until its answer is written
    timeout_seconds: float = 10.0  # for the model to answer; then 504, and its run is stopped
    keep_alive_seconds: int = 75  # above the 60 that load balancers keep an idle connection
    drain_seconds: float = 1.0  # for clients with open connections to move on after SIGTERM
    shutdown_seconds: int = 30  # for requests in flight to be answered after that


def read_settings(arguments: Sequence[str] | None = None) -> Settings:
    """Read the command line and the environment; exits with a message and 2 where they make no sense."""
    parser = argparse.ArgumentParser(prog="python -m slipway.service", description="Serve one model artifact.")
    for field in fields(Settings):
        kind = {"Path": Path, "str": str, "float": float}.get(getattr(field.type, "__name__", ""), int)
        option, variable = f"--{field.name.replace('_', '-')}", f"SLIPWAY_{field.name.upper()}"
        # argparse converts a default that is a string, and reports it as it would an argument.
        default = os.environ.get(variable, field.default)
        parser.add_argument(option, type=kind, default=default, help=f"${variable}, default {field.default}")
    settings = Settings(**vars(parser.parse_args(arguments)))
    if settings.provider not in PROVIDERS:
        parser.error(f"argument --provider: {settings.provider!r} is none of {', '.join(PROVIDERS)}")
    if settings.log not in LEVELS:
        parser.error(f"argument --log: {settings.log!r} is none of {', '.join(LEVELS)}")
    for name in ("log_requests", "log_inputs"):
        if not 0 <= getattr(settings, name) <= 1:
            parser.error(f"argument --{name.replace('_', '-')}: a share from 0 to 1 is expected")
    return settings
