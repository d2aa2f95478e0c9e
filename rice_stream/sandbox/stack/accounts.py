"""As whom PostgreSQL runs when we are root, which it refuses to be: an unprivileged account that exists everywhere."""

import os
import pwd
import stat
from pathlib import Path

from rice_stream.errors import UsageError
from rice_stream.sandbox.stack.processes import Account

_UNPRIVILEGED = ("nobody", "daemon")


def unprivileged_account(existing_data: Path) -> Account | None:
    """Return the account to change to, or None when this process is not root's and nothing need be changed.

    Args:
        existing_data: a data directory of an earlier run, whose owner is kept; it need not exist.

    Raises:
        UsageError: the system has none of the accounts that we know.
    """
    if os.geteuid() != 0:
        return None
    if existing_data.exists() and (owner := existing_data.stat().st_uid) != 0:
        entry = pwd.getpwuid(owner)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise UsageError(
        f"PostgreSQL does not run as root, and this system has no account {' or '.join(_UNPRIVILEGED)} to run it as: "
        "start the local stack as another user, or with --store sqlite"
    )


def can_enter(directory: Path, account: Account) -> bool:
    """Whether the permissions of the directory and of all above it let the account through."""
    resolved = directory.resolve()
    return all(_has_permission(folder.stat(), account) for folder in (resolved, *resolved.parents))


def _has_permission(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def require_entry(directory: Path, account: Account, what: str) -> None:
    """Check that the account can enter the directory.

    Raises:
        UsageError: it cannot.
    """
    if not can_enter(directory, account):
        raise UsageError(
            f"{what} {directory}: PostgreSQL does not run as root, and the account {account.name!r}, as which it runs "
            "instead, may not enter this directory. Choose one that everybody may enter (below /tmp, say), let others "
            "enter it (chmod o+x on it and on the directories above), or start the local stack as another user"
        )
