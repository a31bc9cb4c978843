"""One file to read, one folder to write, and the program's own parts: everything else does not open (Landlock, Linux).

A playlist or reference inside an upload may name whatever it likes; the kernel opens nothing for it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path
from typing import Any

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same on every architecture
_ASK_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
_OF_FIRST_VERSION = (1 << 13) - 1  # LANDLOCK_ACCESS_FS_EXECUTE to LANDLOCK_ACCESS_FS_MAKE_SYM, linux/landlock.h
_REFER = 1 << 13
_BIND_AND_CONNECT = 3
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/proc/self", "/sys/devices/system/cpu", "/dev/urandom")
_SERVER = Path(__file__).resolve().parents[2]


def enter(reads: str, writes: str | None) -> bool:
    """From here on other paths end with EACCES; False where the kernel cannot do that."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return False
    libc: Any = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, 0, _ASK_VERSION)
    if version < 1:
        return False
    handled = _OF_FIRST_VERSION | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    attributes = struct.pack("=QQ", handled, _BIND_AND_CONNECT) if version >= 4 else struct.pack("=Q", handled)
    rules = libc.syscall(_CREATE, attributes, len(attributes), 0)
    if rules < 0:
        return False
    program = {str(_SERVER), sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path[1:], *_SYSTEM}
    for path in sorted(part for part in program if part and Path(part) != _SERVER.parent):
        _allow(libc, rules, path, _EXECUTE | _READ_FILE | _READ_DIR)
    _allow(libc, rules, reads, _READ_FILE)
    if writes is not None:
        _allow(libc, rules, writes, handled)
    is_bound = libc.syscall(_RESTRICT, rules, 0) == 0
    os.close(rules)
    return bool(is_bound)


def _allow(libc: Any, rules: int, path: str, rights: int) -> None:
    """A path that is not there needs no permission."""
    try:
        descriptor = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        rights &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
    libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    os.close(descriptor)
