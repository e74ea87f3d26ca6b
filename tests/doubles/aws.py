"""A double of AWS over HTTP on this machine: moto, with what it lacks of what the preflight asks.

Run in the environment of tests/cli/clouds.txt. Prints its port, reads one JSON line of what the account is like, prints
what it made, and lives until its input ends. A caller whose access key begins with EXPIRED has an expired token.
"""

import itertools
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import moto.eks.urls
import moto.settings
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.eks.responses import EKSResponse
from moto.iam.responses import IamResponse
from moto.server import ThreadedMotoServer
from moto.servicequotas.responses import ServiceQuotasResponse
from moto.sts.exceptions import STSClientError
from moto.sts.responses import TokenResponse

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from slipway.simulator.iam import Call, allows

ACCOUNT: dict[str, Any] = {}


class NoSuchQuota(JsonRESTError):
    def __init__(self) -> None:
        super().__init__("NoSuchResourceException", "The request failed because the specified resource does not exist.")


def _quota(table: str) -> Any:
    def answer(self: Any) -> str:
        asked = json.loads(self.body)
        value = ACCOUNT[table].get(f"{asked['ServiceCode']}/{asked['QuotaCode']}")
        if value is None:
            raise NoSuchQuota
        return json.dumps({"Quota": {**asked, "Value": value}})

    return answer


def _simulated(self: Any) -> ActionResult:
    """Of a role's own policies, by the evaluator of the simulator."""
    name = self._get_param("PolicySourceArn").rsplit("/", 1)[-1]
    role = self.backend.get_role(name)
    documents = [*role.policies.values(), *(each.document for each in role.managed_policies.values())]
    context = {each["ContextKeyName"]: each["ContextKeyValues"] for each in self._get_param("ContextEntries") or ()}
    results = []
    asked = itertools.product(self._get_param("ActionNames"), self._get_param("ResourceArns") or ["*"])
    for action, resource in asked:
        allowed = allows([*map(str, documents)], Call(action=action, resource=resource, context=context))
        results.append(
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": "allowed" if allowed else "implicitDeny",
            }
        )
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _versions(_self: Any) -> ActionResult:
    return ActionResult({"clusterVersions": [{"clusterVersion": each} for each in ACCOUNT["versions"]]})


def _caller(self: Any, real: Any = TokenResponse.get_caller_identity) -> Any:
    if str(self.get_access_key()).startswith("EXPIRED"):
        raise STSClientError("ExpiredToken", "The security token included in the request is expired")
    return real(self)


def main() -> None:
    ServiceQuotasResponse.get_service_quota = _quota("quotas")
    ServiceQuotasResponse.get_aws_default_service_quota = _quota("defaults")
    IamResponse.simulate_principal_policy = _simulated
    EKSResponse.describe_cluster_versions = _versions
    moto.eks.urls.url_paths["{0}/cluster-versions$"] = moto.eks.urls.response.dispatch
    TokenResponse.get_caller_identity = _caller
    moto.settings.ACM_VALIDATION_WAIT = 86_400  # a certificate that waits goes on waiting
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    print(address, flush=True)
    ACCOUNT.update(json.loads(sys.stdin.readline()))
    print(json.dumps(_furnished(address)), flush=True)
    for line in sys.stdin:
        ACCOUNT.update(json.loads(line))
        print("{}", flush=True)
    server.stop()


def _furnished(address: str) -> dict[str, str]:
    """Roles with their policies, a hosted zone, an imported certificate: the ids that they got."""
    place = {
        "region_name": "us-east-1",
        "endpoint_url": address,
        "aws_access_key_id": "A",
        "aws_secret_access_key": "B",
    }
    iam, zones, acm = (boto3.client(service, **place) for service in ("iam", "route53", "acm"))
    for role, statements in ACCOUNT["roles"].items():
        iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document)
    for policy, document in ACCOUNT.get("policies", {}).items():
        iam.create_policy(PolicyName=policy, PolicyDocument=document)
    zone = zones.create_hosted_zone(Name=ACCOUNT["zone"], CallerReference="1")["HostedZone"]["Id"]
    certificate, key = _self_signed(ACCOUNT["certificate"])
    imported = acm.import_certificate(Certificate=certificate, PrivateKey=key)["CertificateArn"]
    waiting = acm.request_certificate(DomainName=ACCOUNT["certificate"], ValidationMethod="DNS")["CertificateArn"]
    return {"zone": zone.rsplit("/", 1)[-1], "certificate": imported, "waiting": waiting}


def _self_signed(name: str) -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return built.sign(key, hashes.SHA256()).public_bytes(pem), private


if __name__ == "__main__":
    main()
