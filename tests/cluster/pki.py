"""Keys, certificates and kubeconfigs of one cluster, made anew for each."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import yaml

from tests.cluster import places

# {file: (common name, organization)}. Kubernetes takes these for user and group.
CLIENTS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kubelet": (f"system:node:{places.NODE}", "system:nodes"),
    "proxy": ("system:kube-proxy", ""),
    "kubelet-client": ("kube-apiserver-kubelet-client", "system:masters"),
    "front-proxy": ("front-proxy", ""),
}
SERVED_AS = f"IP:127.0.0.1,IP:{places.NODE_ADDRESS},IP:{places.FIRST_SERVICE},DNS:localhost,DNS:kubernetes.default.svc"


def make(folder: Path) -> None:
    """Fills the folder with `NAME.crt`, `NAME.key` and, for who calls the API server, `NAME.yaml`."""
    folder.mkdir(parents=True)
    _certificate(folder, "ca", "/CN=slipway-cluster", ["-addext", "basicConstraints=critical,CA:TRUE"])
    signed = ["-CA", folder / "ca.crt", "-CAkey", folder / "ca.key"]
    served = ["-addext", f"subjectAltName={SERVED_AS}", "-addext", "basicConstraints=critical,CA:FALSE"]
    _certificate(folder, "apiserver", "/CN=kube-apiserver", [*signed, *served])
    for name, (user, group) in CLIENTS.items():
        subject = f"/O={group}/CN={user}" if group else f"/CN={user}"
        _certificate(folder, name, subject, [*signed, "-addext", "extendedKeyUsage=clientAuth"])
        (folder / f"{name}.yaml").write_text(_kubeconfig(folder, name))
    _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", folder / "accounts.key")


def _certificate(folder: Path, name: str, subject: str, options: list[str | Path]) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / f"{name}.key"]
    _openssl("req", "-x509", "-days", "30", *key, "-out", folder / f"{name}.crt", "-subj", subject, *options)


def _kubeconfig(folder: Path, name: str) -> str:
    def content(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    cluster = {"server": f"https://127.0.0.1:{places.API}", "certificate-authority-data": content("ca.crt")}
    user = {"client-certificate-data": content(f"{name}.crt"), "client-key-data": content(f"{name}.key")}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "slipway", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "slipway", "context": {"cluster": "slipway", "user": name}}],
            "current-context": "slipway",
        }
    )


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
