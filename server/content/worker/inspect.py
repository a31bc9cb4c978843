"""Look into an uploaded file with the one demuxer its signature named, and say what has to be done to it.

Demuxer named, protocols and formats and codecs listed: with all of them set no sample opened another file or a socket.
"""

from __future__ import annotations

from typing import Any

import av
import av.error
from av.container import InputContainer

from server.content.worker.refusal import Refused

MOST_STREAMS = 8
LONGEST_SECONDS = 12 * 3600
MOST_PIXELS = 8192 * 4320
OPEN_SECONDS, READ_SECONDS = 20.0, 20.0
DEMUXERS = frozenset({"mov", "avi", "asf", "mp3", "wav", "aac", "ogg"})


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


VIDEO_CODECS = _words(
    "h264 hevc mpeg4 msmpeg4v1 msmpeg4v2 msmpeg4v3 msmpeg4 mpeg1video mpeg2video mjpeg h263 h263p h263i flv1 wmv1",
    "wmv2 wmv3 vc1 vp8 vp9 av1 prores dvvideo cinepak indeo5 rawvideo theora svq1 svq3 qtrle huffyuv ffvhuff",
)
AUDIO_CODECS = _words(
    "aac mp3 mp3float mp2 mp2float mp1 ac3 eac3 opus vorbis flac alac wmav1 wmav2 wmapro wmalossless adpcm_ms",
    "adpcm_ima_wav adpcm_ima_qt gsm_ms amrnb amrwb amr_nb amr_wb speex qdm2 pcm_s16le pcm_s16be pcm_s24le pcm_s24be",
    "pcm_s32le pcm_s32be pcm_u8 pcm_s8 pcm_f32le pcm_f32be pcm_f64le pcm_alaw pcm_mulaw",
)
_DECODERS = _words("libdav1d libvpx libvpx-vp9 libopus libvorbis libspeex wmv3image vc1image png")
_CODEC_WHITELIST = ",".join(sorted(VIDEO_CODECS | AUDIO_CODECS | _DECODERS))


def open_named(path: str, demuxer: str) -> InputContainer:
    """Open `path` with exactly `demuxer`. Raises Refused("unreadable")."""
    if demuxer not in DEMUXERS:
        raise ValueError(f"no such demuxer here: {demuxer}")
    options = {"protocol_whitelist": "file", "format_whitelist": demuxer, "codec_whitelist": _CODEC_WHITELIST}
    try:
        opened = av.open(path, mode="r", format=demuxer, options=options, timeout=(OPEN_SECONDS, READ_SECONDS))
    except (av.error.FFmpegError, ValueError, EOFError) as error:
        raise Refused("unreadable", "The file cannot be read; it is damaged or not what it claims to be.") from error
    assert isinstance(opened, InputContainer)
    return opened


def inspect(path: str, demuxer: str, kind: str) -> dict[str, Any]:
    """`{plan: copy|transcode, duration, width, height, video, audio}`. Raises Refused."""
    with open_named(path, demuxer) as container:
        if len(container.streams) > MOST_STREAMS:
            raise Refused("too_many_streams", f"The file has more than {MOST_STREAMS} tracks.")
        pictures = [s for s in container.streams.video if not _is_cover(s)]
        sounds = list(container.streams.audio)
        if kind == "video" and not pictures:
            raise Refused("content_mismatch", "There is no picture track in this video.")
        if kind == "audio" and pictures:
            raise Refused("content_mismatch", "This is a video; upload it as one.")
        if kind == "audio" and not sounds:
            raise Refused("content_mismatch", "There is no sound track in this file.")
        duration = float(container.duration or 0) / av.time_base
        if duration > LONGEST_SECONDS:
            raise Refused("too_long", f"It is longer than {LONGEST_SECONDS // 3600} hours.")
        video = _judged_video(pictures[0]) if kind == "video" else None
        audio = _judged_audio(sounds[0]) if sounds else None
        plan = "copy" if _may_copy(demuxer, kind, video, audio) else "transcode"
        return {"plan": plan, "duration": duration, "video": video, "audio": audio}


def _is_cover(stream: Any) -> bool:
    """Cover art of a sound file, which players show as a video track."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _judged_video(stream: Any) -> dict[str, Any]:
    context = stream.codec_context
    name = context.name if context is not None else "none"
    canonical = context.codec.canonical_name if context is not None else "none"
    if canonical not in VIDEO_CODECS and name not in VIDEO_CODECS:
        raise Refused("codec_not_allowed", f"Its picture is coded as {canonical}, which is not accepted.")
    if not context.width or not context.height:
        raise Refused("unreadable", "The picture has no size.")
    if context.width * context.height > MOST_PIXELS:
        raise Refused("too_many_pixels", "The picture is larger than 8192 x 4320.")
    return {"codec": canonical, "width": context.width, "height": context.height, "pixels": context.pix_fmt}


def _judged_audio(stream: Any) -> dict[str, Any]:
    context = stream.codec_context
    canonical = context.codec.canonical_name if context is not None else "none"
    if canonical not in AUDIO_CODECS and (context is None or context.name not in AUDIO_CODECS):
        raise Refused("codec_not_allowed", f"Its sound is coded as {canonical}, which is not accepted.")
    if not context.sample_rate:
        raise Refused("unreadable", "The sound has no sample rate.")
    return {"codec": canonical, "rate": context.sample_rate}


def _may_copy(demuxer: str, kind: str, video: dict[str, Any] | None, audio: dict[str, Any] | None) -> bool:
    """Whether browsers play these streams as they are, so that only the container is rewritten."""
    if kind == "audio":
        codec = audio["codec"] if audio else ""
        return (demuxer == "mp3" and codec == "mp3") or (demuxer in ("mov", "aac") and codec == "aac")
    plays = video is not None and video["codec"] == "h264" and video["pixels"] in ("yuv420p", "yuvj420p")
    return demuxer == "mov" and plays and (audio is None or audio["codec"] in ("aac", "mp3"))
