"""One reader a format behind one registry; every reader gives the contract of `modality_assets.imaging.frames`."""

from modality_assets.imaging.readers.registry import FORMATS, add_format, read_frames, sniff_format

__all__ = ["FORMATS", "add_format", "read_frames", "sniff_format"]
