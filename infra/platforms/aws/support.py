"""Until when EKS supports a version of Kubernetes at its usual price. No SDK."""

from __future__ import annotations

from datetime import date, timedelta

from slipway.infra.platforms.answers import WARNED, Said

# Ends of standard support, where EKS does not tell: docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html
ENDS = {"1.33": date(2026, 7, 29), "1.34": date(2026, 12, 2), "1.35": date(2027, 3, 27)}
NOTICE = timedelta(days=60)


def rank(version: str) -> tuple[int, ...]:
    """`1.9` is before `1.10`."""
    return tuple(map(int, version.split(".")))


def supported(version: str, today: date, told: date | None = None) -> Said:
    """What the preflight says of a version. `told`: what EKS answers about it."""
    ends = told or ENDS.get(version)
    if ends is None:
        return None, f"Kubernetes {version}: nobody to ask until when EKS supports it"
    if ends - today > NOTICE:
        return True, f"Kubernetes {version} is supported until {ends}"
    when = f"ends on {ends}, in {(ends - today).days} days" if ends >= today else f"ended on {ends}"
    return (
        WARNED,
        f"Kubernetes {version}: EKS's standard support {when}, and then EKS upgrades the cluster by itself: set "
        "slipway:aws.cluster.version to the next one, docs/aws.md says how under 'Upgrades'",
    )
