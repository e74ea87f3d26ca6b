"""Right: `up` takes in a log group that EKS made again after the destroy."""

import shutil
import sys
import tempfile
from pathlib import Path

from paths import ROOT, Throwaway

with tempfile.TemporaryDirectory() as name:
    stack = Throwaway(Path(name), ROOT, "drift")
    shutil.copy(Path(__file__).with_name("Pulumi.drift.yaml"), stack.program)
    with stack:
        stack.seconds = 600
        stack.up()
        groups = (each for each in stack.books.all() if each["type"].endswith("LogGroup"))
        group = next(each for each in groups if each["id"].startswith("/aws/eks/"))
        stack.destroy()
        group["tags"] = {}
        for part in ("inputs", "outputs"):
            for key in ("tags", "tagsAll", "kmsKeyId", "retentionInDays"):
                group[part].pop(key, None)
        stack.books.put(group)
        said = stack.up(fails=None).splitlines()
        refusal = next((line.strip() for line in said if "AlreadyExists" in line or "error: " in line), "")
        print("first up:", refusal[:160] or "passes")
        if refusal:
            print("recover:", stack.recover(fails=None).strip())
            second = stack.up(fails=None).splitlines()
            print("second up:", [line.strip() for line in second if "created" in line][-1:])
    sys.exit(bool(refusal))
