"""kill -9 of a build at random moments, then a normal one: python tests/cli/killing.py [TIMES], takes minutes.

After every kill nothing half-made may be visible; the last, undisturbed run has to succeed and leave no staging.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from slipway.infra.home import home  # noqa: E402

from slipway.pipeline.store import Store  # noqa: E402


def main(times: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "envs").symlink_to(home() / "envs")
        variables = os.environ | {"SLIPWAY_HOME": folder}
        command = [sys.executable, "-m", "slipway.cli", "model", "build", "tests/models/plane", "--json"]
        store, killed, whole = Store(Path(folder) / "artifacts"), 0, 0
        seconds = timed(command, variables)
        while killed < times:  # one that ended before its kill does not count
            for path in (Path(folder) / "artifacts").glob("keys/*"):
                path.unlink()  # each round has something to build
            process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=-3, stderr=-3, start_new_session=True)
            time.sleep(random.uniform(0, seconds))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
            for path in (Path(folder) / "artifacts").glob("sha256-*"):
                assert store.whole(path.name.replace("-", ":")), f"{path.name} is half-made"
                whole += 1
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert store.whole(json.loads(done.stdout)["digest"])
        assert not list((Path(folder) / "artifacts" / "staging").iterdir())
        print(f"{killed} builds killed while they ran, {whole} artifacts seen, all whole; the next build succeeded")


def timed(command: list[str], variables: dict[str, str]) -> float:
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, check=True)
    return time.monotonic() - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
