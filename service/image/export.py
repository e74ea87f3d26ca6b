"""Exports the serving code as a Bento: export.py SOURCE TARGET VERSION, in the service's own environment.

SOURCE holds `slipway/`, `service/` and `requirements.txt`. TARGET gets what `bentoml serve TARGET` needs but the
packages and the model, which SLIPWAY_ARTIFACT names. The same code gives the same bytes: the time of the export is
not kept.
"""

import shutil
import sys
from pathlib import Path

KEPT = ("bento.yaml", "README.md", "apis", "src")


def main(source: Path, target: Path, version: str) -> None:
    import bentoml
    import yaml

    made = bentoml.build(
        "slipway.service.http.bento_service:service",
        name="slipway",
        version=version,
        build_ctx=str(source),
        include=["slipway/**", "service/**"],
        python={"requirements_txt": "requirements.txt", "lock_packages": False},
    )
    for name in KEPT:
        found = Path(made.path) / name
        if found.is_dir():
            shutil.copytree(found, target / name)
        elif found.exists():
            shutil.copyfile(found, target / name)
    described = target / "bento.yaml"
    content = yaml.safe_load(described.read_text())
    content["creation_time"] = "1970-01-01T00:00:00+00:00"
    described.write_text(yaml.safe_dump(content, sort_keys=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
