"""The Helm chart, rendered by real Helm: what a cluster would be given. No cluster is started."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from deploy.release.chart import CHART
from ketline.config import load_settings, variables
from ketline.domain.operations.metrics import INSTRUMENTS, Gauge
from tests.kubernetes.helm import Helm, Manifest, environment_of, pod_templates

ROOT = Path(__file__).parents[2]
LEAST = CHART / "ci" / "default-values.yaml"
EVERYTHING = CHART / "ci" / "everything-values.yaml"
# The oldest that the chart names, one between, and the newest that there are schemas of.
KUBERNETES_VERSIONS = ("1.30", "1.33", "1.37")
# Objects of other software, of which there are no schemas here.
OF_OTHERS = {"ScaledObject", "ServiceMonitor"}

each_values_file = pytest.mark.parametrize("values", [LEAST, EVERYTHING], ids=["least", "everything"])


def _find(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {str(manifest["metadata"]["name"]): manifest for manifest in manifests if manifest["kind"] == kind}


@each_values_file
def test_helm_finds_nothing_wrong(helm: Helm, values: Path) -> None:
    done = helm.lint(values)
    assert done.returncode == 0, done.stdout + done.stderr


@each_values_file
def test_every_object_keeps_the_schemas_of_kubernetes(helm: Helm, values: Path) -> None:
    manifests = helm.render(values)
    assert len(manifests) >= 8
    for manifest in manifests:
        if manifest["kind"] not in OF_OTHERS:
            for version in KUBERNETES_VERSIONS:
                kubernetes_validate.validate(manifest, version, strict=True)


def test_objects_of_both_values_are_all_that_the_chart_has(helm: Helm) -> None:
    least, everything = ({manifest["kind"] for manifest in helm.render(values)} for values in (LEAST, EVERYTHING))
    assert least == {"Deployment", "Job", "NetworkPolicy", "PodDisruptionBudget", "Service"}
    assert everything == least | OF_OTHERS | {"Ingress"}


@each_values_file
def test_pods_keep_the_restricted_standard(helm: Helm, values: Path) -> None:
    pods = pod_templates(helm.render(values))
    assert len(pods) >= 3
    for pod in pods.values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


@each_values_file
def test_services_of_the_namespace_make_no_variables(helm: Helm, values: Path) -> None:
    assert {pod["enableServiceLinks"] for pod in pod_templates(helm.render(values)).values()} == {False}


@each_values_file
def test_urls_are_in_mounted_files_only(helm: Helm, values: Path) -> None:
    manifests = helm.render(values)
    assert "Secret" not in {manifest["kind"] for manifest in manifests}
    for pod in pod_templates(manifests).values():
        (secrets,) = [volume["projected"] for volume in pod["volumes"] if volume["name"] == "secrets"]
        paths = {item["path"] for source in secrets["sources"] for item in source["secret"]["items"]}
        assert {"DATABASE_URL", "KETLINE_QUEUE_URL"} <= paths
        assert not any(name.endswith("_URL") and "OIDC" not in name for name in environment_of(pod))
        assert paths <= {name for names in variables().values() for name in names}


@each_values_file
def test_processes_start_with_their_variables(
    helm: Helm, values: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The settings of the service take them: no name is unknown, no value is rejected."""
    monkeypatch.chdir(tmp_path)
    for pod in pod_templates(helm.render(values)).values():
        with monkeypatch.context() as changed:
            for name, value in {**environment_of(pod), "KETLINE_SECRETS_DIR": str(tmp_path)}.items():
                changed.setenv(name, value)
            assert load_settings().auth_modes


def test_large_numbers_are_written_as_they_are(helm: Helm) -> None:
    pods = pod_templates(helm.render(EVERYTHING))
    assert {environment_of(pod)["KETLINE_MAX_SHOTS"] for pod in pods.values()} == {"1000000"}


def test_migration_runs_before_anything_else(helm: Helm) -> None:
    (job,) = _find(helm.render(LEAST), "Job").values()
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["migrate"]
    assert "initContainers" not in job["spec"]["template"]["spec"]


def test_upgrade_first_checks_that_running_processes_work_on_the_new_schema(helm: Helm) -> None:
    upgraded = helm.render(LEAST, settings=["migration.image.tag=2.0"], upgrade=True)
    (job,) = _find(upgraded, "Job").values()
    kubernetes_validate.validate(job, KUBERNETES_VERSIONS[0], strict=True)
    pod = job["spec"]["template"]["spec"]
    (check,) = pod["initContainers"]
    (migrate,) = pod["containers"]
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["containerName"]) == ("FailJob", check["name"])
    assert (check["args"], migrate["args"]) == (["migrate", "--check"], ["migrate"])
    assert {check["image"], migrate["image"]} == {"ketline:2.0"}
    (unchecked,) = _find(helm.render(LEAST, settings=["migration.check=false"], upgrade=True), "Job").values()
    assert "initContainers" not in unchecked["spec"]["template"]["spec"]


def _workers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for name, deployment in _find(manifests, "Deployment").items():
        if deployment["metadata"]["labels"]["app.kubernetes.io/component"] == "worker":
            yield name, deployment


@each_values_file
def test_cluster_waits_longer_than_running_programs_get(helm: Helm, values: Path) -> None:
    for _, deployment in _workers(helm.render(values)):
        pod = deployment["spec"]["template"]["spec"]
        grace = float(environment_of(pod)["KETLINE_SHUTDOWN_GRACE_S"])
        assert grace > load_settings().task_time_limit_s
        assert pod["terminationGracePeriodSeconds"] >= grace + 10


def test_worker_takes_its_slots_from_the_chart_and_not_from_the_node(helm: Helm) -> None:
    pods = pod_templates(helm.render(EVERYTHING))
    slots = {name: environment_of(pod).get("KETLINE_WORKER_SLOTS") for name, pod in pods.items()}
    assert slots["ketline-worker-default"] == "4"
    assert slots["ketline-worker-others"] == "1"
    assert environment_of(pods["ketline-worker-others"])["KETLINE_WORKER_BACKENDS"] == "lab"


def test_probes_are_those_of_the_processes(helm: Helm) -> None:
    for deployment in _find(helm.render(LEAST), "Deployment").values():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        environment = environment_of(deployment["spec"]["template"]["spec"])
        served = environment["KETLINE_WORKER_PORT" if container["args"] == ["worker"] else "KETLINE_PORT"]
        for probe, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz"), ("startupProbe", "/livez")):
            assert container[probe]["httpGet"]["path"] == path
            assert str(ports[container[probe]["httpGet"]["port"]]) == served


def test_service_and_ingress_are_names_of_the_service(helm: Helm) -> None:
    manifests = helm.render(EVERYTHING)
    hosts = environment_of(pod_templates(manifests)["ketline-api"])["KETLINE_ALLOWED_HOSTS"].split(",")
    (ingress,) = _find(manifests, "Ingress").values()
    assert {ingress["spec"]["rules"][0]["host"], "quantum.internal", "ketline-api.quantum.svc"} <= set(hosts)


def test_selectors_find_the_pods(helm: Helm) -> None:
    """Of each Deployment its own pods only, of each Service and budget at least one kind of pod."""
    manifests = helm.render(EVERYTHING)
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in _find(manifests, "Deployment").values()]
    for manifest in manifests:
        if manifest["kind"] in {"Deployment", "Service", "PodDisruptionBudget"}:
            selector = manifest["spec"]["selector"]
            wanted = selector.get("matchLabels", selector)
            found = sum(wanted.items() <= each.items() for each in labels)
            assert found == 1 or (manifest["kind"] == "Service" and found >= 1), manifest["metadata"]["name"]


def test_workers_are_scaled_by_predicted_work_and_busy_slots(helm: Helm) -> None:
    manifests = helm.render(EVERYTHING)
    scaled = _find(manifests, "ScaledObject")
    assert set(scaled) == {"ketline-worker-default", "ketline-worker-others"}
    replicas = {name: deployment["spec"].get("replicas") for name, deployment in _workers(manifests)}
    assert replicas == {"ketline-worker-default": None, "ketline-worker-others": None, "ketline-worker-gpu": 2}
    own, prometheus = (scaled[name]["spec"]["triggers"] for name in sorted(scaled))
    assert [(trigger["metadata"]["valueLocation"], trigger["metadata"]["targetValue"]) for trigger in own] == [
        ('ketline_queue_predicted_work_seconds{queue="simulate"}', str(4 * 60)),
        ('ketline_queue_busy_slots{queue="simulate"}', "4"),
    ]
    assert [trigger["metadata"]["query"] for trigger in prometheus] == [
        'max(ketline_queue_predicted_work_seconds{namespace="quantum",queue="convert"})',
        'max(ketline_queue_busy_slots{namespace="quantum",queue="convert"})',
    ]
    (service,) = [each for name, each in _find(manifests, "Service").items() if name == "ketline-api-metrics"]
    (port,) = service["spec"]["ports"]
    assert own[0]["metadata"]["url"] == f"http://ketline-api-metrics.quantum.svc:{port['port']}/metrics"


def test_metrics_of_the_scaling_are_metrics_of_the_service(helm: Helm) -> None:
    scaled = _find(helm.render(EVERYTHING), "ScaledObject").values()
    metadata = [trigger["metadata"] for each in scaled for trigger in each["spec"]["triggers"]]
    wanted = [each.get("valueLocation") or each["query"] for each in metadata]
    gauges = {each.name for each in INSTRUMENTS if isinstance(each, Gauge) and each.labels == ("queue",)}
    assert {name for text in wanted for name in re.findall(r"ketline_\w+", text)} <= gauges


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("worker.slot=3", "additional properties 'slot' not allowed"),
        ("worker.slots=0", "minimum"),
        ("database.existingSecret=", "database.existingSecret: the name of the secret"),
        ("settings.KETLINE_SHUTDOWN_GRACE_S=3", "the chart sets it, from a value of its own"),
        ("api.settings.KETLINE_PORT=3", "the chart sets it, from a value of its own"),
        ("settings.lower=3", "does not match pattern"),
        ("auth=none", "value must be one of"),
        ("ingress.enabled=true", "ingress.host: the name under which clients reach the service"),
    ],
)
def test_mistakes_are_rejected_before_anything_is_sent(helm: Helm, setting: str, message: str) -> None:
    done = helm.template(LEAST, settings=[setting])
    assert done.returncode != 0
    assert message in done.stderr


@pytest.mark.parametrize(
    ("kinds", "message"),
    [("{run}", "tasks on external backends are not predicted"), ("{simulate,run}", "would wait for ever")],
)
def test_pool_that_could_leave_tasks_waiting_is_not_scaled(helm: Helm, kinds: str, message: str) -> None:
    scaled = ["worker.autoscaling.enabled=true", "worker.autoscaling.minReplicas=0", f"worker.kinds={kinds}"]
    assert message in helm.template(LEAST, settings=scaled).stderr


def test_pool_can_be_left_out(helm: Helm) -> None:
    assert not list(_workers(helm.render(LEAST, settings=["workers.default=null"])))


def test_every_value_is_in_the_schema_and_explained() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert set(values) == set(schema["properties"]) - {"global"}
    assert set(values["worker"]) == set(schema["definitions"]["worker"]["properties"])
    assert set(values["api"]) == set(schema["properties"]["api"]["properties"])


def test_chart_has_the_version_of_the_service() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_user_is_that_of_the_image() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (\d+):\d+$", dockerfile, re.MULTILINE)[-1] == "10001"
