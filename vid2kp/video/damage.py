"""Book-keeping of damaged data: which frames are lost, which are suspect."""

from __future__ import annotations

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

_MANY = 256  # more packets than any decoder holds back


class DamageLog:
    """Follows packets into the decoder and frames out of it.

    A frame is *lost* when its packet went in and no frame came out, and *suspect* when it, or
    anything that it may be predicted from, is damaged: from the fault to the next whole keyframe.

    Attributes:
        frames: that came out.
        errors: that demuxer and decoder reported.
        errors_after_first_frame: of those.
        corrupt_frames: frames that the decoder itself calls corrupt.
    """

    def __init__(self) -> None:
        """Starts with nothing damaged."""
        self.frames = 0
        self.errors = 0
        self.errors_after_first_frame = 0
        self.corrupt_frames = 0
        self._in_doubt = False
        self._inside: set[int] = set()  # pts given to the decoder, frame not out yet
        self._stale: set[int] = set()  # of those, given to it before the fault
        self._sound: set[int] = set()  # of those, whole beyond doubt
        self._failed: set[int] = set()  # pts of packets that the decoder refused
        self._failed_untimed = 0

    def packet_in(self, packet: Packet[VideoStream]) -> None:
        """Notes a packet before it is decoded."""
        if packet.is_discard:
            return
        if packet.is_corrupt:
            # The demuxer counts and notices at the spot: what is inside already is whole.
            sound = self._sound if self._in_doubt else set(self._inside)
            self._fault()
            self._sound = sound
        if packet.pts is not None:
            self._inside.add(packet.pts)

    def packet_failed(self, packet: Packet[VideoStream] | None) -> None:
        """Notes that the decoder refused a packet, or (None) failed when asked for the rest."""
        if packet is not None and not packet.is_discard:
            if packet.pts is None:
                self._failed_untimed += 1
            else:
                self._inside.discard(packet.pts)
                self._failed.add(packet.pts)
        self._fault()

    def read_failed(self) -> None:
        """Notes that the demuxer could not read on."""
        self._fault()

    def _fault(self) -> None:
        """All that comes out from now on is suspect.

        What is inside already is suspect too: bad bytes often pass for good in one packet before
        they are noticed in the next. But a keyframe inside does not end the doubt, for the fault
        came after it.
        """
        self.errors += 1
        self.errors_after_first_frame += self.frames > 0
        self._in_doubt = True
        self._stale |= self._inside
        self._sound.clear()

    def frame_out(self, frame: VideoFrame) -> bool:
        """Notes a decoded frame, in order of presentation, and says whether it is suspect."""
        self.frames += 1
        stale, sound = frame.pts in self._stale, frame.pts in self._sound
        if frame.pts is not None:
            for pending in (self._inside, self._stale, self._sound, self._failed):
                pending.discard(frame.pts)
            self._forget_before(frame.pts)
        if frame.is_corrupt:
            self.corrupt_frames += 1
            self.errors += 1
            self.errors_after_first_frame += 1
            self._in_doubt = True
            self._sound.clear()
            return True
        if frame.key_frame and not stale:
            self._in_doubt = False
            self._stale.clear()
        return self._in_doubt and not sound

    def _forget_before(self, pts: int) -> None:
        """Drops packets that gave no frame of their own: second fields, hidden references."""
        if len(self._inside) > _MANY:
            self._inside = {inside for inside in self._inside if inside > pts}

    def missing(self, *, after: int | None, before: int) -> list[int]:
        """Takes out the pts of frames that should have come between two others, in order.

        Args:
            after: pts of the frame before; None at the first, before which nothing counts.
            before: pts of the frame after.
        """
        if not self.errors:
            return []
        gone = {pts for pts in self._failed | self._inside if pts < before}
        self._failed -= gone
        self._inside -= gone
        return sorted(pts for pts in gone if after is not None and pts > after)

    def missing_untimed(self) -> int:
        """Takes out the number of packets refused since the last call, wherever they belonged."""
        count = self._failed_untimed + len(self._failed)
        self._failed_untimed = 0
        self._failed.clear()
        return count if self.frames > 1 else 0
