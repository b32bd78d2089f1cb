import subprocess
import sys


def test_the_api_pulls_in_no_simulator_database_or_broker() -> None:
    program = "import sys, ketline.api.app; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    response = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    heavy = {"qiskit", "qiskit_aer", "openqasm3", "sqlalchemy", "aio_pika", "aiormq", "asyncpg", "alembic", "numpy"}
    assert heavy & set(response.stdout.split()) == set()


def test_a_whole_api_process_starts_without_what_only_others_need() -> None:
    imports = "import sys, ketline.cli.main, ketline.cli.server.serve"
    program = f"{imports}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    response = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    others = {"qiskit", "qiskit_aer", "openqasm3", "antlr4", "numpy", "alembic", "httpx", "joserfc"}
    assert others & set(response.stdout.split()) == set()
