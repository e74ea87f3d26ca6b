"""A client of the cluster that a stack names, with the kubeconfig's own rights."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from slipway.infra.config.stack import StackConfig
from slipway.infra.platforms.kubernetes.config import KubernetesConfig

# By default a server's kinds are kept in a file that all users of the machine share, and never asked for again.
NOWHERE = f"{os.devnull}/kinds.json"


def client(config: StackConfig) -> Any:
    """A dynamic client of the package `kubernetes`, which has no types.

    Raises:
        kubernetes.config.config_exception.ConfigException: there is no such kubeconfig or context, or it is damaged.
        urllib3.exceptions.HTTPError: the server can't be reached. DynamicApiError: it refuses to list its kinds.
    """
    kubeconfig: Any = import_module("kubernetes.config")
    dynamic: Any = import_module("kubernetes.dynamic")
    own = config.of(KubernetesConfig)
    file = own.file or os.environ.get("KUBECONFIG")
    made = kubeconfig.new_client_from_config(config_file=file, context=own.context)
    return dynamic.DynamicClient(made, cache_file=NOWHERE)
