"""A namespace with a Deployment and a Service of the base image. Settings: `web:version`, `web:replicas`, ..."""

from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

config = pulumi.Config()
space = config.get("namespace") or "web"
name = config.get("name") or "web"
environment = {
    "VERSION": config.get("version") or "1",
    "DRAIN_SECONDS": config.get("drain") or "3",
    "FAIL": config.get("fail") or "",
}
labels = {"app": name, "slipway-stack": f"{pulumi.get_project()}-{pulumi.get_stack()}"}
script = (Path(__file__).parent / "server.py").read_text()

namespace = k8s.core.v1.Namespace("space", metadata={"name": space, "labels": labels})
placed = pulumi.ResourceOptions(parent=namespace)
code = k8s.core.v1.ConfigMap(
    "code",
    metadata={"name": f"{name}-code", "namespace": namespace.metadata.name, "labels": labels},
    data={"server.py": script},
    opts=placed,
)
token = k8s.core.v1.Secret(
    "token",
    metadata={"name": f"{name}-token", "namespace": namespace.metadata.name, "labels": labels},
    string_data={"token": config.get_secret("token") or "not-so-secret"},
    opts=placed,
)
ready = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
deployment = k8s.apps.v1.Deployment(
    "web",
    metadata={
        "name": name,
        "namespace": namespace.metadata.name,
        "labels": labels,
        "annotations": {"pulumi.com/timeoutSeconds": config.get("timeout") or "60"},
    },
    spec={
        "replicas": config.get_int("replicas") or 1,
        "selector": {"matchLabels": {"app": config.get("selector") or name}},
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {"labels": {**labels, "app": config.get("selector") or name}},
            "spec": {
                "terminationGracePeriodSeconds": 10,
                "containers": [
                    {
                        "name": "web",
                        "image": config.get("image") or "slipway.test/base:bookworm",
                        "command": ["python3", "/code/server.py"],
                        "terminationMessagePolicy": "FallbackToLogsOnError",
                        "env": [{"name": key, "value": value} for key, value in environment.items()],
                        "readinessProbe": ready,
                        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}},
                        "volumeMounts": [{"name": "code", "mountPath": "/code"}],
                    }
                ],
                "volumes": [{"name": "code", "configMap": {"name": code.metadata.name}}],
            },
        },
    },
    opts=placed,
)
service = k8s.core.v1.Service(
    "web",
    metadata={"name": name, "namespace": namespace.metadata.name, "labels": labels},
    spec={
        "type": "NodePort",
        "selector": {"app": config.get("selector") or name},
        "ports": [{"port": 80, "targetPort": 8080, "nodePort": config.get_int("port") or 20610}],
    },
    opts=pulumi.ResourceOptions(parent=namespace, depends_on=[deployment]),
)
pulumi.export("port", service.spec.ports[0].node_port)
pulumi.export("token", token.data["token"])
