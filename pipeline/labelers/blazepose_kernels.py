"""Kernels over the pixels that a network of BlazePose sees."""

from __future__ import annotations

from sorn.compiled import compiled


@compiled("void(u1[:, :, ::1], f4[::1], f4[:, :, ::1], i8, i8)")
def write_levels(pixels, levels, out, top, left):  # type: ignore[no-untyped-def]
    """Levels of pixels.

    pixels: [h, w, 3]. Written to `out` from the row `top` and the column `left` on. levels: [256], what stands for each
    value of a pixel. Around the pixels `out` becomes levels[0].
    """
    out[:] = levels[0]
    for row in range(pixels.shape[0]):
        for column in range(pixels.shape[1]):
            for channel in range(pixels.shape[2]):
                out[top + row, left + column, channel] = levels[pixels[row, column, channel]]
