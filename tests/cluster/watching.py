"""Debian's Prometheus and Alertmanager over services on this machine, told what a stack declares for them."""

from __future__ import annotations

import json
import re
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.cluster.build import commands
from tests.cluster.debian import watching
from tests.cluster.dockerd import free_port
from tests.waiting import until

VERSION = "v2.42.0"  # of Debian's Prometheus, for which the operator writes
FASTER = 60  # than it is declared: a minute is a second
DAY = 15  # seconds
SCRAPES = "500ms"
# Debian's Alertmanager reads its templates from /usr/share: what is unpacked lies over it, for this program alone.
OVER = 'mount -t overlay none -o "lowerdir=$0/share:/usr/share" /usr/share && exec "$@"'
INSTALLED = ("unshare", "--mount", "--propagation", "private", "sh", "-c", OVER)
NAMES = {"s": 1 / FASTER, "m": 60 / FASTER, "h": 3600 / FASTER, "d": DAY}


def sooner(text: str) -> str:
    """PromQL or a duration with shorter ones in place of its own."""
    return re.sub(r"\b(\d+)([smhd])\b", lambda found: f"{round(1000 * int(found[1]) * NAMES[found[2]])}ms", text)


def sooner_rules(spec: dict[str, Any]) -> dict[str, Any]:
    groups = []
    for group in spec["groups"]:
        rules = [
            {key: sooner(each) if key in ("expr", "for") else each for key, each in rule.items()}
            for rule in group["rules"]
        ]
        groups.append(group | {"interval": SCRAPES, "rules": rules})
    return {"groups": groups}


def scrape_of(monitor: dict[str, Any]) -> dict[str, Any]:
    """The scrape configuration that the operator writes for a PodMonitor."""
    done = subprocess.run(
        [commands("scrape") / "scrape", VERSION], input=json.dumps(monitor), capture_output=True, text=True, check=True
    )
    (found,) = yaml.safe_load(done.stdout.replace("$(SHARD)", "0"))["scrape_configs"]  # as the pod's reloader does
    return dict(found)


def pod(namespace: str, name: str, labels: dict[str, str]) -> dict[str, str]:
    """What Prometheus's discovery tells of a running pod and its port `metrics`."""
    meta = "__meta_kubernetes_"
    about = {
        f"{meta}namespace": namespace,
        f"{meta}pod_name": name,
        f"{meta}pod_phase": "Running",
        f"{meta}pod_ready": "true",
        f"{meta}pod_container_name": "service",
        f"{meta}pod_container_port_name": "metrics",
    }
    for key, value in labels.items():
        plain = re.sub(r"\W", "_", key)
        about |= {f"{meta}pod_label_{plain}": value, f"{meta}pod_labelpresent_{plain}": "true"}
    return about


class Receivers:
    """Doubles of a webhook, a chat and a mail server. `told`, in order: (receiver, namespace, alert, "firing" or
    "resolved")."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str, str]] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _posts(self.note))
        self.mail = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _mails(self.note))
        for each in (self.http, self.mail):
            threading.Thread(target=each.serve_forever, daemon=True).start()

    def note(self, receiver: str, text: str) -> None:
        """A text is of one alert and namespace, as they are grouped by."""
        state = "resolved" if "resolved" in text.lower() else "firing"
        (alert, *_), (space, *_) = (re.findall(each, text) for each in (r"Slipway[A-Z]\w+", r"slipway-[a-z]+"))
        self.told.append((receiver, space, alert, state))

    def close(self) -> None:
        for each in (self.http, self.mail):
            each.shutdown()
            each.server_close()


@contextmanager
def prometheus(
    folder: Path, scrapes: list[dict[str, Any]], rules: list[dict[str, Any]]
) -> Iterator[tuple[str, Receivers]]:
    """The address of a running Prometheus, whose Alertmanager tells the receivers. `rules`: of each file."""
    receivers, ports = Receivers(), [free_port() for _ in range(2)]
    with ExitStack() as after:
        after.callback(receivers.close)
        web = f"http://127.0.0.1:{receivers.http.server_port}"
        mail = {"to": "team@example.org", "from": "alerts@example.org", "require_tls": False, "send_resolved": True}
        receiver = {
            "name": "team",
            "webhook_configs": [{"url": f"{web}/webhook", "send_resolved": True}],
            "slack_configs": [{"api_url": f"{web}/chat", "channel": "#alerts", "send_resolved": True}],
            "email_configs": [mail | {"smarthost": f"127.0.0.1:{receivers.mail.server_address[1]}"}],
        }
        route = {"receiver": "team", "group_by": ["alertname", "namespace"], "group_wait": "1s", "group_interval": "1s"}
        (folder / "alertmanager.yml").write_text(yaml.safe_dump({"route": route, "receivers": [receiver]}))
        for number, groups in enumerate(rules):
            (folder / f"rules-{number}.yml").write_text(yaml.safe_dump(groups))
        configuration = {
            "global": {"evaluation_interval": SCRAPES},
            "rule_files": ["rules-*.yml"],
            "scrape_configs": scrapes,
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports[1]}"]}]}]},
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        programs = {
            "prometheus-alertmanager": [
                f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/told",
                f"--web.listen-address=127.0.0.1:{ports[1]}", "--cluster.listen-address=",
            ],
            "prometheus": [
                f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/series",
                f"--web.listen-address=127.0.0.1:{ports[0]}", "--rules.alert.resend-delay=1s",
            ],
        }  # fmt: skip
        for name, options in programs.items():
            log = after.enter_context((folder / f"{name}.log").open("w"))
            process = subprocess.Popen(
                [*INSTALLED, watching() / "usr", watching() / "usr/bin" / name, *options], stdout=log, stderr=log
            )
            after.callback(process.wait)
            after.callback(process.terminate)
        for port in ports:
            until(lambda port=port: ready(port), 30, f"port {port} is not ready")  # type: ignore[misc]
        yield f"http://127.0.0.1:{ports[0]}", receivers


def asked(prometheus: str, query: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", answer
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def _posts(note: Callable[[str, str], None]) -> type[BaseHTTPRequestHandler]:
    class Posts(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            note(self.path.strip("/"), body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            return

    return Posts


def _mails(note: Callable[[str, str], None]) -> type[socketserver.StreamRequestHandler]:
    class Mails(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 double\r\n")
            for line in self.rfile:
                command = line.strip().upper()
                if command == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    note("mail", _subject(iter(self.rfile.readline, b".\r\n")))
                self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")
                if command == b"QUIT":
                    return

    return Mails


def _subject(lines: Iterator[bytes]) -> str:
    head = [line.decode() for line in lines]
    return next(line for line in head if line.startswith("Subject:"))
