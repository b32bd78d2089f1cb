"""What real Helm renders of the chart."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.release.chart import CHART

RELEASE, NAMESPACE = "ketline", "quantum"

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Helm:
    """Runs `helm` on the chart; nothing of it needs a cluster or a network."""

    program: Path
    home: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        homes = {name: str(self.home) for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
        return subprocess.run(
            [self.program, *arguments], capture_output=True, text=True, env={**os.environ, **homes}, check=False
        )

    def lint(self, values: Path) -> subprocess.CompletedProcess[str]:
        return self.run("lint", "--strict", str(CHART), "--values", str(values))

    def render(self, *values: Path, settings: Sequence[str] = (), upgrade: bool = False) -> list[Manifest]:
        """The objects of an installation, or of an upgrade, with these files of values and `--set` options.

        Raises:
            AssertionError: Helm rejects them.
        """
        done = self.template(*values, settings=settings, upgrade=upgrade)
        assert done.returncode == 0, done.stderr
        return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]

    def template(
        self, *values: Path, settings: Sequence[str] = (), upgrade: bool = False
    ) -> subprocess.CompletedProcess[str]:
        files = [option for file in values for option in ("--values", str(file))]
        sets = [option for setting in settings for option in ("--set", setting)]
        kind = ["--is-upgrade"] if upgrade else []
        return self.run("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *kind, *files, *sets)


def pod_templates(manifests: Sequence[Manifest]) -> dict[str, Mapping[str, Any]]:
    """The pods that the objects start, by the names of those."""
    return {
        str(manifest["metadata"]["name"]): manifest["spec"]["template"]["spec"]
        for manifest in manifests
        if manifest["kind"] in {"Deployment", "Job"}
    }


def environment_of(pod: Mapping[str, Any]) -> dict[str, str]:
    """The variables of the pod's only container."""
    (container,) = pod["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"]}
