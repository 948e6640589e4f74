"""Encryption of MPEG transport streams, which FFmpeg decodes to noise without a word."""

from pathlib import Path

SYNC = 0x47
_SIZES = (188, 192, 204)
"""Bytes from one packet to the next: plain, with a time code (Blu-ray), and with parity bytes."""
_LOOKED_AT_BYTES = 4 * 2**20
_IN_STEP = 4
"""Packets that must begin with the sync byte where the first one is looked for."""


def is_scrambled(path: Path, pid: int) -> bool:
    """Returns whether packets at the start of a transport stream are scrambled.

    The header of a packet is the sync byte, 13 bits of the packet identifier (PID) after 3 flags,
    and 2 bits of scrambling control, which are 0 in a clear packet. For example, 47 01 00 D0 is a
    scrambled packet with PID 0x100.

    Args:
        path: the file.
        pid: the PID of the stream that counts.
    """
    with path.open("rb") as file:
        content = file.read(_LOOKED_AT_BYTES)
    first, size = _first_packet(content)
    headers = (content[at : at + 4] for at in range(first, len(content) - 3, size))
    return any(
        header[0] == SYNC and (header[1] & 0x1F) << 8 | header[2] == pid and header[3] & 0xC0
        for header in headers
    )


def _first_packet(content: bytes) -> tuple[int, int]:
    """Returns the place of the first packet, and the bytes to the next one."""
    for size in _SIZES:
        for first in range(min(size, len(content))):
            if all(byte == SYNC for byte in content[first::size][:_IN_STEP]):
                return first, size
    return len(content), _SIZES[0]
