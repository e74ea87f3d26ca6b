"""Installs the lock into a folder inside of an image's build: fetch.py FOLDER. Standard library and pip only.

The secrets `ca` (a bundle of certificates) and `pip` (a pip.conf) of who builds are files, empty where there are none.
"""

import os
import subprocess
import sys
from pathlib import Path

SECRETS = {"PIP_CERT": "/run/secrets/ca.pem", "PIP_CONFIG_FILE": "/run/secrets/pip.conf"}


def main() -> int:
    given = {name: file for name, file in SECRETS.items() if Path(file).is_file() and Path(file).stat().st_size}
    install = ["install", "--no-cache-dir", "--no-compile", "--only-binary", ":all:", "--require-hashes"]
    lock = Path(__file__).with_name("requirements.txt")
    command = [sys.executable, "-m", "pip", *install, "--target", sys.argv[1], "--requirement", str(lock)]
    return subprocess.run(command, env={**os.environ, **given}).returncode


if __name__ == "__main__":
    sys.exit(main())
