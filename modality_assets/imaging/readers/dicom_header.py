"""The attributes of a DICOM image that decide what its stored values mean (PS3.3 C.7.6.3, C.8.2.1, C.11.1)."""

from dataclasses import dataclass

import numpy as np

from modality_assets.imaging.errors import AbsurdSizeError, DamagedImageError
from modality_assets.imaging.frames import MAX_FRAME_PIXELS, MAX_FRAMES, FileFacts, Frame, integer_limits


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """One image's attributes, typed; absent ones None. Spacing in mm (row, column), window in native units."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    frames: int = 1
    samples: int = 1
    photometric: str = "MONOCHROME2"
    slope: float | None = None
    intercept: float | None = None
    rescale_type: str | None = None
    units: str | None = None
    modality: str | None = None
    padding: int | None = None
    padding_limit: int | None = None
    spacing: tuple[float, float] | None = None
    window: tuple[float, float] | None = None
    instance_uid: str | None = None
    series_uid: str | None = None
    transfer_syntax_uid: str | None = None

    @property
    def inverted(self) -> bool:
        return self.photometric == "MONOCHROME1"

    @property
    def unit(self) -> str | None:
        """The unit of the native intensities: RescaleType, or Units (0054,1001) for PT, or HU for a rescaled CT.

        None where the file does not say, and for inverted images, whose numbers no longer are in that unit.
        """
        if self.inverted or self.samples > 1 or self.photometric == "PALETTE COLOR":
            return None
        if self.rescale_type and self.rescale_type != "US":  # US: unspecified
            return self.rescale_type
        if self.units:
            return self.units
        rescaled = self.slope is not None and self.intercept is not None
        return "HU" if self.modality == "CT" and rescaled else None

    def check(self, name: str) -> None:
        """Raise `AbsurdSizeError` or `DamagedImageError` for what no image can be; nothing is allocated before."""
        if self.rows < 1 or self.columns < 1 or self.frames < 1:
            raise DamagedImageError(
                f"{name}: {self.rows} rows, {self.columns} columns, {self.frames} frames are no image"
            )
        if self.rows * self.columns * self.samples > MAX_FRAME_PIXELS or self.frames > MAX_FRAMES:
            raise AbsurdSizeError(
                f"{name}: {self.frames} frames of {self.rows} x {self.columns} x {self.samples} samples are no image"
            )
        if not (
            1 <= self.bits_stored <= self.bits_allocated <= 64
            and self.bits_stored - 1 <= self.high_bit < self.bits_allocated
        ):
            raise DamagedImageError(
                f"{name}: BitsAllocated {self.bits_allocated}, BitsStored {self.bits_stored}, "
                f"HighBit {self.high_bit} contradict each other"
            )

    def facts(self) -> FileFacts:
        return FileFacts(
            format="DICOM",
            bits_stored=self.bits_stored,
            signed=self.signed,
            photometric=self.photometric,
            instance_uid=self.instance_uid,
            series_uid=self.series_uid,
            modality_tag=self.modality,
            transfer_syntax_uid=self.transfer_syntax_uid,
        )

    def frame(self, raw: np.ndarray, index: int) -> Frame:
        """Return the frame whose decoded single-sample integers, (rows, columns), are ``raw``."""
        low, high = integer_limits(self.bits_stored, self.signed)
        return self.frame_of_stored(self.stored_values(raw), index, low, high, self._padding_range(low + high))

    def frame_of_stored(
        self, stored: np.ndarray, index: int, low: float, high: float, padding: tuple[float, float] | None = None
    ) -> Frame:
        """Return the frame of values that need no masking or inversion, with the limits of their type."""
        spacing, window = self.spacing or (None, None), self.window or (None, None)
        return Frame(
            stored=stored,
            index=index,
            dtype_min=float(low),
            dtype_max=float(high),
            slope=1.0 if self.slope is None else self.slope,
            intercept=0.0 if self.intercept is None else self.intercept,
            unit=self.unit,
            padding=padding,
            spacing_row_mm=spacing[0],
            spacing_column_mm=spacing[1],
            window_center=window[0],
            window_width=window[1],
        )

    def stored_values(self, raw: np.ndarray) -> np.ndarray:
        """Return stored values: only bits HighBit-BitsStored+1..HighBit (PS3.5 section 8.1.1), MONOCHROME1 inverted.

        The other bits may hold overlays or nothing at all. Integers of the input's size, signed as the header says.
        """
        low, high = integer_limits(self.bits_stored, self.signed)
        kind = "i" if self.signed else "u"
        if not raw.dtype.isnative:
            raw = raw.astype(raw.dtype.newbyteorder("="))
        stored = raw.view(f"{kind}{raw.dtype.itemsize}") if raw.dtype.kind in "iu" else raw.astype(f"{kind}1")
        shift = self.high_bit + 1 - self.bits_stored
        if shift or (self.bits_stored < stored.dtype.itemsize * 8 and not _within(stored, low, high)):
            bits = stored.view(f"u{stored.dtype.itemsize}")
            bits = (bits >> bits.dtype.type(shift)) & bits.dtype.type((1 << self.bits_stored) - 1)
            if self.signed:
                sign = bits.dtype.type(1 << (self.bits_stored - 1))
                bits = (bits ^ sign) - sign
            stored = bits.view(stored.dtype)
        if not self.inverted:
            return stored
        return ~stored if self.signed else stored.dtype.type(high) - stored  # low + high - stored

    def _padding_range(self, mirror: int) -> tuple[float, float] | None:
        if self.padding is None:
            return None
        first = self.padding
        last = first if self.padding_limit is None else self.padding_limit
        if self.inverted:
            first, last = mirror - first, mirror - last
        return float(min(first, last)), float(max(first, last))


def _within(stored: np.ndarray, low: int, high: int) -> bool:
    return bool(stored.max() <= high and (low == 0 or stored.min() >= low))
