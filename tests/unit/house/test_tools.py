"""Where the programs that tests need come from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tools

Commands = list[tuple[str, ...]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Commands]:
    """What is run on a machine that has none of the programs, where each command brings what the test says."""

    def run(*, root: bool, debian: bool = True, brings: dict[str, set[str]] | None = None) -> Commands:
        there: set[str] = set()
        commands: Commands = []

        def keep(_name: str, command: list[str], within_s: int) -> None:
            assert within_s > 0
            commands.append(tuple(command))
            there.update((brings or {}).get(command[0].rpartition("/")[2], ()))

        monkeypatch.setattr(tools, "find", lambda program: program if program in there else None)
        monkeypatch.setattr(tools, "_run", keep)
        monkeypatch.setattr(tools, "_POLICY", tmp_path / "policy-rc.d")
        monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/apt-get" if debian else None)
        monkeypatch.setattr("sys.executable", "/venv/python")
        assert tools.main() == 0
        return commands

    return run


def test_root_on_debian_gets_packages(asked: Callable[..., Commands]) -> None:
    update, install = asked(root=True, brings={"apt-get": set(tools.PACKAGES)})
    assert update == ("/usr/bin/apt-get", "update", "-qq")
    assert install[-5:] == ("chromium", "pgbouncer", "prometheus", "prometheus-alertmanager", "systemd")


@pytest.mark.parametrize("where", [{"root": False}, {"root": True, "debian": False}, {"root": True}])
def test_elsewhere_a_browser_is_playwrights_own(
    asked: Callable[..., Commands], where: dict[str, bool], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where there is no such package; and what is still missing is said."""
    last = asked(**where, brings={"python": {"chromium"}})[-1]
    assert last == ("/venv/python", "-m", "playwright", "install", "chromium")
    said = capsys.readouterr().err
    assert said.endswith("tools: not installed here: pgbouncer, prometheus, prometheus-alertmanager, systemd\n")
