"""A disk that loses its power: of all that was written, only what was synced is there afterwards.

A file's content is what it was at its last fsync, a folder's names what they were at the folder's:
so a rename or a new file is lost unless its folder was synced after it. SQLite syncs in C, where
nothing here can listen; its files are taken to be synced whenever the journal commits or closes,
and their folder when they are made.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.staging import journal


class PowerLoss(BaseException):
    """The power is gone."""


class Disk:
    """What survives below a folder; the power goes when so many syncs were asked for."""

    def __init__(self, root: Path, lasts: int | None = None) -> None:
        self.syncs = 0
        self._root = root
        self._lasts = lasts
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, tuple[int, bool]]] = {}
        self._sync = os.fsync

    def listen(self, patch: pytest.MonkeyPatch) -> None:
        """Take note of every sync from now on."""
        patch.setattr(os, "fsync", self.fsync)
        for name in ("__init__", "commit", "set_meta", "__exit__"):
            method = getattr(journal.Journal, name)
            patch.setattr(journal.Journal, name, self._then_synced(method, made=name == "__init__"))

    def fsync(self, descriptor: int) -> None:
        """Sync as `os.fsync` does, as long as there is power."""
        if self._lasts is not None and self.syncs >= self._lasts:
            raise PowerLoss
        self.syncs += 1
        self._sync(descriptor)
        self._keep(Path(f"/proc/self/fd/{descriptor}").readlink())

    def lose_power(self) -> None:
        """Leave below the folder what was synced, and nothing else."""
        root = self._root.stat().st_ino
        shutil.rmtree(self._root)
        self._root.mkdir()
        self._restore(root, self._root)

    def _keep(self, path: Path) -> None:
        if path.is_dir():
            self._names[path.stat().st_ino] = {
                entry.name: (entry.inode(), entry.is_dir()) for entry in os.scandir(path)
            }
        elif path.is_file():
            self._contents[path.stat().st_ino] = path.read_bytes()

    def _restore(self, inode: int, path: Path) -> None:
        for name, (inner, is_folder) in self._names.get(inode, {}).items():
            if is_folder:
                (path / name).mkdir()
                self._restore(inner, path / name)
            else:
                (path / name).write_bytes(self._contents.get(inner, b""))

    def _then_synced(self, method: Callable[..., Any], *, made: bool) -> Callable[..., Any]:
        def synced(one: journal.Journal, *arguments: Any, **more: Any) -> None:
            method(one, *arguments, **more)
            for path in one._staging.glob(f"{journal.NAME}*"):
                if not path.name.endswith("-shm"):
                    self._keep(path)
            if made:
                self._keep(one._staging)

        return synced
