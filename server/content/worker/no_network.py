"""No sockets, no other programs, no looking into other processes: a seccomp filter (Linux on x86-64 and arm64).

The numbers are those of the kernel's system call tables; a call made through another architecture's table is refused
whole. Threads that exist are bound too.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from typing import Any

_X86_64, _ARM64 = 0xC000003E, 0xC00000B7  # AUDIT_ARCH_*, linux/audit.h
# socket socketpair bind listen accept accept4 connect sendto sendmsg sendmmsg · execve execveat fork vfork ·
# ptrace process_vm_readv process_vm_writev kill pidfd_send_signal pidfd_getfd · io_uring_setup bpf perf_event_open
# userfaultfd mount unshare setns open_by_handle_at add_key request_key keyctl
_REFUSED = {
    "x86_64": (
        _X86_64,
        "41 53 49 50 43 288 42 44 46 307 59 322 57 58 101 310 311 62 424 438",
        "425 321 298 323 165 272 308 304 248 249 250",
    ),
    "aarch64": (
        _ARM64,
        "198 199 200 201 202 242 203 206 211 269 221 281 117 270 271 129 424 438",
        "425 280 241 282 40 97 268 265 217 218 219",
    ),
}
_X32_BIT = 0x40000000
_LOAD, _IS, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
_SECCOMP, _SET_MODE_FILTER, _ALL_THREADS = {"x86_64": 317, "aarch64": 277}, 1, 1


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def enter() -> bool:
    """From here on those calls end with EACCES; False where the kernel offers no filters."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _REFUSED:
        return False
    architecture, *numbers = _REFUSED[machine]
    code = _code(architecture, [int(number) for number in " ".join(map(str, numbers)).split()])
    program = _Program(len(code) // 8, code)
    libc: Any = ctypes.CDLL(None, use_errno=True)
    return bool(libc.syscall(_SECCOMP[machine], _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0)


def _code(architecture: int, refused: list[int]) -> bytes:
    """The filter: (code, jump if true, jump if false, value) each, linux/filter.h."""
    lines = [(_LOAD, 0, 0, 4), (_IS, 1, 0, architecture), (_RETURN, 0, 0, _REFUSE), (_LOAD, 0, 0, 0)]
    checks = [(_AT_LEAST, _X32_BIT), *((_IS, number) for number in refused)]
    for left, (check, value) in zip(range(len(checks), 0, -1), checks, strict=True):
        lines.append((check, left, 0, value))  # to the last line, over what is left of the list and the permission
    lines += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
