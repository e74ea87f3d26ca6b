"""A machine like GitHub's runners, as far as Debian's packages make one: a root of its own, a user who is not root, and
nothing of this checkout but its tracked files. A double: runners have Ubuntu, and far more programs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from slipway.infra.home import ROOT, home

from tests.cluster import debian, images
from tests.cluster.cache import key_of, made
from tests.workflow_steps import Step

INCLUDED = f"{images.INCLUDED},make,git"
USER = 1001  # as on GitHub
PATH = "/usr/local/bin:/usr/bin:/bin"
# What says how this machine reaches package registries, as in many companies.
REACHING = re.compile(r"(PIP_|UV_|SSL_|REQUESTS_|CURL_)\w+|\w+_CA(INFO|_BUNDLE|_CERTS)?|\w+_PROXY", re.IGNORECASE)


def root() -> Path:
    """The folder that such a machine is copied from."""
    key = key_of(debian.SUITE, INCLUDED, images.MIRROR)
    return made("runner", key, lambda into: images.debootstrap(into / "root", INCLUDED), "making a runner") / "root"


@contextmanager
def runner(folder: Path) -> Iterator[Runner]:
    """A fresh one in `folder`, which has to be on a real file system; it goes at the end."""
    subprocess.run(["cp", "-a", "--reflink=auto", root(), folder], check=True)
    made_of = Runner(folder / "root")
    try:
        yield made_of
    finally:
        shutil.rmtree(folder / "root")


class Runner:
    """`checkout`: where its steps run."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.home = Path("/home/runner")
        self.checkout = self.home / "work"
        self.variables = {"HOME": str(self.home), "PATH": PATH, "CI": "true", "LANG": "C.UTF-8"}
        named = {"passwd": f"runner:x:{USER}:{USER}::{self.home}:/bin/bash", "group": f"runner:x:{USER}:"}
        for file, line in named.items():
            with (self._root / "etc" / file).open("a") as known:
                known.write(f"{line}\n")
        self._reach_registries()
        self._check_out()
        if (built := home() / "engine").exists():
            shutil.copytree(built, self.within(self.home) / ".cache" / "slipway" / "engine", symlinks=True)
        subprocess.run(["chown", "-R", f"{USER}:{USER}", self.within(self.home)], check=True)

    def within(self, path: Path) -> Path:
        """A path of the runner, as this machine sees it."""
        return self._root / path.relative_to("/")

    def run(self, steps: Sequence[Step], seconds: float) -> dict[str, tuple[int, str]]:
        """{`job: first line`: (exit status, what it said)} of each that was come to: as on GitHub none follows one that
        failed. What they start ends with them."""
        place = self.within(self.home) / "steps"
        place.mkdir(exist_ok=True)
        all_of_them = ["set -e", "mount -t proc proc /proc", "mount -t tmpfs -o mode=1777 tmpfs /dev/shm"]
        as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "env", "-i"]
        for at, each in enumerate(steps):
            script = place / f"{at}.sh"
            script.write_text(each.script)
            told = [f"{key}={value}" for key, value in {**self.variables, **each.environment}.items()]
            command = shlex.join([*as_user, *told, *each.shell, f"{self.home}/steps/{at}.sh"])
            all_of_them += [f"cd {self.checkout}", f"status=0; {command} >{self.home}/steps/{at}.log 2>&1 || status=$?"]
            all_of_them += [f"echo $status >{self.home}/steps/{at}.status; [ $status = 0 ]"]
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "chroot", str(self._root)]
        command = [*alone, "/bin/bash", "-c", "\n".join(all_of_them)]
        subprocess.run(command, env={"PATH": f"/usr/sbin:/sbin:{PATH}"}, timeout=seconds, check=False)
        return {
            f"{each.job}: {each.what}": (int(status.read_text()), (place / f"{at}.log").read_text())
            for at, each in enumerate(steps)
            if (status := place / f"{at}.status").exists()
        }

    def _check_out(self) -> None:
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, tracked.split("\0")):
            (target := self.within(self.checkout) / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).exists():
                shutil.copy2(ROOT / name, target, follow_symlinks=False)

    def _reach_registries(self) -> None:
        for name, value in os.environ.items():
            if REACHING.fullmatch(name):
                self.variables[name] = value
                self._bring(value)
        for file in ("/etc/pip.conf", "/etc/resolv.conf", "/etc/hosts"):
            self._bring(file)

    def _bring(self, name: str) -> None:
        """The same file or folder, where it is one."""
        source = Path(name)
        if source.is_absolute() and source.exists():
            (target := self.within(source)).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.rmtree(target, ignore_errors=True)  # its links lead out of the root
                shutil.copytree(source, target, ignore_dangling_symlinks=True)
            else:
                target.unlink(missing_ok=True)
                shutil.copy(source, target)
