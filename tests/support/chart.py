"""The Helm chart: its values in every combination, what helm makes of them, and what has to hold of that."""

import hashlib
import itertools
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from rice_stream.runtime.settings.loading import load_settings
from rice_stream.worker.deadline import stop_limit_s
from tests.support.places import DATA, ROOT

Document = dict[str, Any]

CHART = ROOT / "deploy" / "helm" / "rice-stream"
RENDERED = DATA / "chart_rendered.json"
"""The digest of the chart that the drill has rendered whole."""
VERSIONS = ("1.34", "1.35", "1.36", "1.37")
"""Of Kubernetes."""
RELEASE = "rice-stream"
SECRETS = {
    "rice-worker": {"RICE_DATABASE_URL": "postgresql://owner:p@db/rice", "RICE_KAFKA_SASL_PASSWORD": "p"},
    "rice-server": {"RICE_DATABASE_URL": "postgresql://rice_http:p@db/rice", "RICE_KAFKA_SASL_PASSWORD": "p"},
}
"""What is in the Secrets that are there before."""
_OPERATORS = {"ScaledObject", "ServiceMonitor", "PrometheusRule"}
_PEER = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
_PLACED = {
    "podAnnotations": {"example.com/a": "b"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "rice", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
    ],
    "priorityClassName": "high",
}
AXES: dict[str, dict[str, Document]] = {
    "server": {
        "none": {"server": {"enabled": False}},
        "proxies": {
            "server": {"trustedProxies": ["10.0.0.0/8", "fd00::/8"], "publicUrl": "https://carbon.example.com"},
            "ingress": {"enabled": True, "host": "carbon.example.com", "className": "nginx", "tlsSecret": "carbon-tls"},
        },
        "tls": {"server": {"tls": {"secret": "rice-tls"}}, "service": {"type": "LoadBalancer", "port": 443}},
    },
    "migration": {mode: {"migration": {"mode": mode}} for mode in ("hook", "initContainer", "none")},
    "workers": {
        "replicas": {"worker": {"replicas": 3}},
        "keda": {"worker": {"keda": {"enabled": True}}, "settings": {"events_topics": "llm-requests,otlp_spans"}},
        "keda+sasl": {
            "worker": {"keda": {"enabled": True, "minReplicas": 2, "maxReplicas": 2, "authenticationRef": "kafka"}},
            "settings": {
                "kafka_security_protocol": "SASL_SSL",
                "kafka_sasl_mechanism": "SCRAM-SHA-512",
                "kafka_sasl_username": "rice",
            },
        },
    },
    "servers": {"replicas": {}, "hpa": {"server": {"autoscaling": {"enabled": True, "minReplicas": 3}}}},
    "network": {
        "open": {},
        "closed": {"networkPolicy": {"enabled": True}},
        "peers": {
            "networkPolicy": {
                "enabled": True,
                "serverFrom": [{"podSelector": {}}],
                "metricsFrom": _PEER,
                "kafka": {"ports": [9094, 9096], "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]},
            }
        },
    },
    "monitoring": {
        "none": {},
        "all": {
            "monitoring": {
                "serviceMonitor": {
                    "enabled": True,
                    "labels": {"release": "p"},
                    "serverToken": {"secret": "rice-token"},
                },
                "prometheusRule": {"enabled": True},
                "grafanaDashboard": {"enabled": True},
            }
        },
    },
    "files": {
        "none": {},
        "both": {
            "budgets": (ROOT / "deploy" / "budgets.example.yaml").read_text("utf-8"),
            "server": {
                "claims": (ROOT / "deploy" / "claims.example.yaml").read_text("utf-8"),
                "settings": {"oidc_issuer": "https://id.example.com", "oidc_audience": "rice-stream"},
            },
            "settings": {"retention_days": 400},
        },
    },
    "rest": {
        "default": {},
        "all": {
            "image": {
                "repository": "registry.example/rice-stream",
                "digest": f"sha256:{'0' * 64}",
                "pullPolicy": "Always",
                "pullSecrets": [{"name": "registry"}],
            },
            "fullnameOverride": "carbon",
            "worker": {"podDisruptionBudget": {"enabled": False}, "settings": {"batch_events_max": 50000}, **_PLACED},
            "server": {"podDisruptionBudget": {"maxUnavailable": "50%"}, "settings": {"log_level": "debug"}, **_PLACED},
            "serviceAccount": {"create": False, "name": "existing"},
            "podLabels": {"example.com/team": "platform"},
            "extraVolumes": [{"name": "ca", "configMap": {"name": "kafka-ca"}}],
            "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/rice/ca", "readOnly": True}],
            "extraEnv": [{"name": "RICE_KAFKA_SSL_CA_LOCATION", "value": "/etc/rice/ca/ca.pem"}],
        },
    },
}
"""What the values can be, apart from numbers: axis -> name of a choice -> the values that it sets."""


def combinations() -> list[tuple[str, ...]]:
    """A choice of each axis, in every way."""
    return list(itertools.product(*AXES.values()))


def values_of(choices: tuple[str, ...]) -> Document:
    """The values file of these choices."""
    values: Document = {"secrets": {"worker": "rice-worker", "server": "rice-server"}}
    for axis, choice in zip(AXES, choices, strict=True):
        values = laid_over(values, AXES[axis][choice])
    return values


def laid_over(below: Document, above: Mapping[str, Any]) -> Document:
    """As helm lays one values file over another."""
    both = {
        name: laid_over(below[name], above[name])
        for name in below.keys() & above.keys()
        if _are_maps(below, above, name)
    }
    return {**below, **above, **both}


def _are_maps(below: Document, above: Mapping[str, Any], name: str) -> bool:
    return isinstance(below[name], dict) and isinstance(above[name], dict)


def digest() -> str:
    """Of the chart's own files; rules and dashboard, which it takes from elsewhere in deploy/, have tests of their own."""
    found = hashlib.sha256()
    for path in sorted(CHART.rglob("*")):
        name = path.relative_to(CHART).as_posix()
        if path.is_file() and not name.startswith(("files/", "ci/")):
            found.update(f"{name}\n{path.read_text('utf-8')}\n".encode())
    return found.hexdigest()


class Helm:
    """The program."""

    def __init__(self, path: str, folder: Path) -> None:
        self._path = path
        self._values = folder / "values.json"

    def render(self, values: Document) -> list[Document]:
        """What would be installed. AssertionError: helm says no."""
        self._values.write_text(json.dumps(values), encoding="utf-8")
        arguments = ["template", RELEASE, str(CHART), "--kube-version", f"{VERSIONS[-1]}.0", "-f", str(self._values)]
        return [one for one in yaml.load_all(self.run(*arguments), yaml.CSafeLoader) if one]  # safe

    def run(self, *arguments: str) -> str:
        """What it says. AssertionError: an error."""
        done = subprocess.run([self._path, *arguments], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class Validator:
    """Kubernetes' schemas of the versions. Each document is looked at once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def check(self, documents: list[Document]) -> None:
        """AssertionError or ValidationError: an API server would refuse it."""
        for document in documents:
            text = json.dumps(document, sort_keys=True)
            if text in self._seen:
                continue
            self._seen.add(text)
            if document["kind"] in _OPERATORS:
                check_operator(document)
                continue
            for version in VERSIONS:
                kubernetes_validate.validate(document, version, strict=True)


def check_operator(document: Document) -> None:
    """What the definitions of KEDA and the Prometheus operator ask for, by their documentation."""
    spec = document["spec"]
    if document["kind"] == "ScaledObject":
        assert document["apiVersion"] == "keda.sh/v1alpha1"
        assert 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"], "never to zero"
        assert "idleReplicaCount" not in spec
        assert spec["scaleTargetRef"]["name"]
        assert spec["fallback"]["replicas"] >= 1
        for trigger in spec["triggers"]:
            assert trigger["type"] == "kafka"
            assert {"bootstrapServers", "consumerGroup", "topic", "lagThreshold"} <= trigger["metadata"].keys()
            assert all(isinstance(value, str) and value for value in trigger["metadata"].values())
            assert trigger["metadata"]["lagThreshold"].isdigit()
    elif document["kind"] == "ServiceMonitor":
        assert document["apiVersion"] == "monitoring.coreos.com/v1"
        assert spec["selector"]["matchLabels"]
        assert all(endpoint["port"] and endpoint["interval"] for endpoint in spec["endpoints"])
    else:
        assert document["apiVersion"] == "monitoring.coreos.com/v1"
        for group in spec["groups"]:
            assert group["name"]
            assert all(("alert" in rule) != ("record" in rule) and rule["expr"] for rule in group["rules"])


def check_rendered(documents: list[Document], choices: tuple[str, ...]) -> None:
    """AssertionError: a part points at another that is not there, a process would not start, or could do what it should not."""
    chosen = dict(zip(AXES, choices, strict=True))
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(set(names)) == len(names)
    pods = {
        document["metadata"]["name"]: document["spec"]["template"] for document in documents if _makes_pods(document)
    }
    roles = {name.rpartition("-")[2] for name in pods}
    wanted = {"worker"} | ({"server"} - {"server" if chosen["server"] == "none" else ""})
    assert roles == wanted | ({"migrate"} if chosen["migration"] == "hook" else set())
    for name, template in pods.items():
        _check_pod(name.rpartition("-")[2], template["spec"], documents)
    for document in documents:
        _check_targets(document, pods, documents)
    scaled = [document for document in documents if document["kind"] == "ScaledObject"]
    assert len(scaled) == chosen["workers"].startswith("keda")


def _makes_pods(document: Document) -> bool:
    return document["kind"] in {"Deployment", "Job"}


def _check_pod(role: str, pod: Document, documents: list[Document]) -> None:
    assert pod["enableServiceLinks"] is False, "Services named rice-... would make settings that do not exist"
    assert pod["automountServiceAccountToken"] is False
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in [*pod["containers"], *pod.get("initContainers", ())]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        ports = {port["name"] for port in container.get("ports", ())}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe in container:
                assert container[probe]["httpGet"]["port"] in ports
        _check_settings(container)
    if role == "worker":
        settings = load_settings(environment={})
        assert pod["terminationGracePeriodSeconds"] > stop_limit_s(settings.store_retry_s)
    if role == "migrate":
        # A hook comes before all the rest.
        brought = {(one["kind"], one["metadata"]["name"]) for one in documents}
        assert ("ServiceAccount", pod.get("serviceAccountName")) not in brought
        assert all(("ConfigMap", volume.get("configMap", {}).get("name")) not in brought for volume in pod["volumes"])


def _check_settings(container: Document) -> None:
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    assert len(given) == len(container["env"]), "a variable is set twice"
    [source] = container["envFrom"]
    settings = load_settings(environment={**SECRETS[source["secretRef"]["name"]], **given})
    assert settings.http_host == "0.0.0.0"  # noqa: S104  # what is checked
    if container["name"] == "server":
        assert "rice_http" in settings.database_url.get_secret_value()
        assert (settings.http_tls_certificate is None) != (not settings.http_trusted_proxies)
        assert container["ports"][0]["containerPort"] == settings.http_port
    if container["name"] == "worker":
        assert container["ports"][0]["containerPort"] == settings.worker_http_port
    for path in _files(given):
        assert any(path.startswith(mount["mountPath"]) for mount in container["volumeMounts"]), path


def _files(given: Mapping[str, str]) -> Iterator[str]:
    yield from (value for value in given.values() if value.startswith("/"))


def _check_targets(document: Document, pods: Mapping[str, Document], documents: list[Document]) -> None:
    kind, spec = document["kind"], document.get("spec", {})
    templates = list(pods.values())
    if kind in {"HorizontalPodAutoscaler", "ScaledObject"}:
        name = spec["scaleTargetRef"]["name"]
        [target] = [one for one in documents if one["kind"] == "Deployment" and one["metadata"]["name"] == name]
        assert "replicas" not in target["spec"], "two would set them in turn"
    selector = {
        "Deployment": lambda: spec["selector"]["matchLabels"],
        "Service": lambda: spec["selector"],
        "PodDisruptionBudget": lambda: spec["selector"]["matchLabels"],
    }.get(kind)
    if selector is not None:
        assert sum(selector().items() <= template["metadata"]["labels"].items() for template in templates) == 1
    if kind == "ServiceMonitor":
        found = spec["selector"]["matchLabels"].items()
        services = [one for one in documents if one["kind"] == "Service" and found <= one["metadata"]["labels"].items()]
        [service] = services
        assert spec["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}
    if kind == "Ingress":
        backend = spec["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"]
        assert ("Service", backend) in {(one["kind"], one["metadata"]["name"]) for one in documents}
