"""The image, built by buildah on a base of Debian's packages, and processes in it with what a container of ours has.

The base stands in for python:3.11-slim-bookworm, where no registry of images is reached. pip finds its packages as it does
here: its settings, and the authority that they name, are given to the build as secrets.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.places import ROOT
from tests.tools import find

BASE = "docker.io/library/python:3.11-slim-bookworm"
PROGRAMS = ("buildah", "mmdebstrap", "unshare", "setpriv")
UID = 10001
_PACKAGES = "usr-is-merged,python3,python3-venv,ca-certificates,media-types"
_LEFT_OUT = ("doc", "man", "locale")
_AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt",)
_INSIDE = """
root=$1; shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid={uid} --regid={uid} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


class Builder:
    """buildah with a store of its own, in a folder that is thrown away."""

    def __init__(self, folder: Path) -> None:
        missing = [name for name in PROGRAMS if find(name) is None]
        if missing or os.geteuid():
            raise SystemExit(f"image: needs root and {', '.join(missing or PROGRAMS)}: `python -m tests.tools --drill`")
        self._folder = folder
        self._buildah = ["buildah", "--root", str(folder / "store"), "--runroot", str(folder / "run")]

    def base(self) -> None:
        """Make the base of Debian's packages, under the name that the Dockerfile asks for."""
        tar = self._folder / "base.tar"
        python = 'ln -s python3 "$1/usr/bin/python"'
        excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
        merged = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
        made = ["mmdebstrap", "--quiet", "--variant=required", merged, f"--include={_PACKAGES}", *excluded]
        subprocess.run([*made, f"--customize-hook={python}", "bookworm", str(tar)], check=True)
        container = self._run("from", "--pull=never", "scratch")
        self._run("add", "--quiet", container, str(tar), "/")
        self._run("config", "--env", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        self._run("commit", "--quiet", "--rm", container, BASE)
        tar.unlink()

    def build(self, tag: str, **arguments: str) -> None:
        """The image of deploy/Dockerfile, with these build arguments."""
        options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        command = ["bud", "--isolation", "chroot", "--pull=never", "--format", "docker", *self._secrets(), *options]
        self._run(*command, "-f", str(ROOT / "deploy" / "Dockerfile"), "-t", tag, str(ROOT))

    def _secrets(self) -> list[str]:
        settings = self._folder / "pip.conf"
        index = {name: os.environ.get(f"PIP_{name.upper().replace('-', '_')}") for name in ("index-url", "timeout")}
        lines = [f"{name} = {value}" for name, value in index.items() if value]
        authority = next((path for path in _AUTHORITIES if Path(path).exists()), None)
        lines += ["cert = /run/secrets/ca.pem"] if authority else []
        settings.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
        given = ["--secret", f"id=pip.conf,src={settings}"]
        return [*given, "--secret", f"id=ca.pem,src={authority}"] if authority else given

    @contextmanager
    def files(self, tag: str) -> Iterator[Path]:
        """Where the image's files lie while the block runs."""
        container = self._run("from", "--pull=never", tag)
        try:
            yield Path(self._run("mount", container))
        finally:
            self._run("rm", container)

    def settings(self, tag: str) -> str:
        """What the image says of itself, as JSON."""
        return self._run("inspect", "--type", "image", tag)

    def close(self) -> None:
        """Nothing is left."""
        subprocess.run([*self._buildah, "rmi", "--all", "--force"], check=False, capture_output=True)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([*self._buildah, *arguments], check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"image: buildah {shlex.join(arguments)} failed:\n{done.stderr[-4000:]}")
        return done.stdout.strip().rpartition("\n")[2] if arguments[0] != "inspect" else done.stdout


class Container:
    """Processes in an image: its files are read-only, /tmp is theirs, and they have no rights and no way to get any.

    With the network of this machine, so that they reach the Kafka and PostgreSQL that run outside.
    """

    def __init__(self, files: Path, environment: Mapping[str, str]) -> None:
        self._files = files
        path = "/opt/rice/bin:/usr/local/bin:/usr/bin:/bin"
        variables = {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environment}
        self._environment = [f"{name}={value}" for name, value in variables.items()]

    def _command(self, *arguments: str) -> list[str]:
        inside = _INSIDE.format(uid=UID)
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", inside, "sh", str(self._files)]
        return [*apart, "env", "-C", "/tmp", "-i", *self._environment, *arguments]  # noqa: S108  # the container's own

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return subprocess.run(self._command(*arguments), capture_output=True, text=True, check=False, timeout=600)

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """A process that goes on; `signal` reaches it."""
        return subprocess.Popen(self._command(*arguments))

    @staticmethod
    def first(started: "subprocess.Popen[bytes]") -> int:
        """The id, outside, of the container's first process."""
        [child] = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text("ascii").split()
        return int(child)

    def beside(self, started: "subprocess.Popen[bytes]", *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in the container that was started, as HEALTHCHECK is run."""
        enter = [shutil.which("nsenter") or "nsenter", "-t", str(self.first(started)), "-m", "-p"]
        rights = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
        inside = ["chroot", str(self._files), *rights, "env", "-i", *self._environment, *arguments]
        return subprocess.run([*enter, *inside], capture_output=True, text=True, check=False, timeout=60)
