"""What the forwarding loop counts: plain integers, read by the worker's `stats` answer.

Anything dropped is counted here under the reason, because a forwarder that drops silently cannot be debugged.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Since the process began. `*_dropped` name why something went no further."""

    datagrams_in: int = 0
    checks: int = 0  # good STUN checks
    checks_dropped: int = 0  # unknown user, bad integrity, malformed
    strangers_dropped: int = 0  # from an address without a good STUN check
    handshake_dropped: int = 0  # the queue before or in the handshake was full, or it was an alert without protection
    malformed_dropped: int = 0  # RTP or RTCP that does not parse, or has a size nobody sends
    unauthenticated_dropped: int = 0  # SRTP that does not verify
    unpermitted_dropped: int = 0
    unknown_dropped: int = 0  # RTP whose source the session description does not name
    rtp_in: int = 0
    rtp_out: int = 0
    rtcp_in: int = 0
    rtcp_out: int = 0
    send_blocked: int = 0  # the socket's buffer was full; the packet is gone and a NACK may bring it back
    send_failed: int = 0
    nacks_in: int = 0
    nacks_missed: int = 0  # asked of us, not in the cache
    retransmitted: int = 0
    nacks_out: int = 0
    keyframes_asked: int = 0
    late_dropped: int = 0  # reordered from before a cut; their numbers are taken
    budgets_cut: int = 0  # a subscriber's link showed that it carries less
    probes: int = 0  # of a subscriber's link, with padding
    padding: int = 0  # packets of those
    errors: int = 0  # exceptions caught at the reader; each is logged
    test_lost: int = 0  # dropped on purpose by the test switch
