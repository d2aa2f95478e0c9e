"""Faults of what a worker stands on, begun and ended: servers that hang, networks that are cut, disks that are full."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from rice_stream.sandbox.stack.accounts import unprivileged_account
from rice_stream.sandbox.stack.guard import GUARD, temporary_directory
from tests.support.programs import missing


@contextmanager
def hanging(pid: int) -> Iterator[None]:
    """The process and those that it started stand still (SIGSTOP), and go on at the end, where they have not ended."""
    process = psutil.Process(pid)
    stopped = [process, *process.children(recursive=True)]
    try:
        for one in stopped:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGSTOP)
        yield
    finally:
        for one in stopped:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system of this size, for PostgreSQL's account."""
    folder = temporary_directory("rice-small-")
    mount = shutil.which("mount", path="/usr/bin:/bin:/usr/sbin:/sbin")
    asked = [str(mount), "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    if mount is None or subprocess.run(asked, capture_output=True, check=False).returncode:
        missing("this account may not mount a file system")
    try:
        account = unprivileged_account(folder)
        if account:
            shutil.chown(folder, account.uid, account.gid)
        yield folder
    finally:
        # Lazily: after a test that failed, the server still has files open there.
        unmount = str(shutil.which("umount", path="/usr/bin:/bin:/usr/sbin:/sbin"))
        subprocess.run([unmount, "--lazy", str(folder)], check=True)
        GUARD.delete_directory(folder)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Nothing more fits onto the file system; at the end it does again."""
    filler = folder / "filler"
    try:
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(bytes(65_536))
                    file.flush()
            except OSError:
                pass
        yield
    finally:
        filler.unlink()
