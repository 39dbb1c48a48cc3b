import pytest
import torch

from modality_assets.bench.train import bench_train


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_both_ways_are_measured_on_the_same_images_in_one_run(tmp_path):
    found = bench_train("resnet18", 32, batch=4, images=8, repeats=1, device="cpu", folder=tmp_path)
    assert found["ours_images_per_second"] > 0
    assert found["published_images_per_second"] > 0
    ratio = found["ours_images_per_second"] / found["published_images_per_second"]
    assert found["train_ratio"] == pytest.approx(ratio, rel=0.05)
    assert 0 <= found["waiting_share"] < 1
    assert list(tmp_path.iterdir()) == []
