"""Host and device rescale alike."""

import numpy as np
import pytest
import torch

from modality_assets.shards.conversion import as_tensor, rescale_on_device, rescale_on_host


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("clip", [False, True])
def test_host_and_device_give_the_same_values_as_the_formula(bits, clip):
    levels = 2**bits - 1
    q = np.arange(2**bits, dtype=f"uint{bits}").reshape(4, -1, 8)
    affine = np.array([[1, 0], [2.5, -0.7], [-1, 1], [1e4, -3e3]], np.float32)
    wanted = affine[:, 0, None, None].astype(float) * (q / levels) + affine[:, 1, None, None]
    wanted = np.clip(wanted, 0, 1) if clip else wanted
    host = np.full(q.shape, np.nan, np.float32)
    rescale_on_host(q, affine, host, levels=levels, clip=clip)
    device = rescale_on_device(as_tensor(q), torch.from_numpy(affine), levels=levels, clip=clip)
    assert device.shape == (4, 1, *q.shape[1:])
    assert (device.numpy()[:, 0] == host).all()
    np.testing.assert_allclose(host, wanted, rtol=1e-6, atol=1e-6 * np.abs(affine).max())


def test_the_whole_range_is_exactly_zero_to_one():
    q = np.array([[[0, 65535]]], np.uint16)
    out = np.empty((1, 1, 2), np.float32)
    rescale_on_host(q, np.array([[1, 0]], np.float32), out, levels=65535, clip=False)
    assert out.tolist() == [[[0.0, 1.0]]]
