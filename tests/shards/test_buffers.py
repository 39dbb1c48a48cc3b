"""Memory is used again when nobody holds it, and never before."""

import numpy as np
import torch

from modality_assets.shards.buffers import BufferPool


def pool():
    made = []

    def make():
        made.append(np.zeros((4, 2)))
        return made[-1]

    return BufferPool(make), made


def test_a_buffer_that_was_let_go_is_lent_again():
    buffers, made = pool()
    for _ in range(5):
        view = buffers.take(3)
        assert view.shape == (3, 2)
        del view
    assert len(made) == 1


def test_a_buffer_behind_a_tensor_or_a_slice_of_it_is_kept():
    buffers, made = pool()
    view = buffers.take(4)
    tensor = torch.from_numpy(view).unsqueeze(1)[2:]
    del view
    assert not np.shares_memory(buffers.take(4), tensor.numpy())
    assert len(made) == 2
    del tensor
    held = [buffers.take(4), buffers.take(4)]
    assert len(made) == len(held) == 2
