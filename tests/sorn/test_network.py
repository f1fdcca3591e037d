"""Shapes of every branch at the paper's input, and what its options change."""

import itertools

import pytest
import torch

from sorn.config import LossConfig, SORNConfig
from sorn.losses import sorn_loss
from sorn.network import SORN


@pytest.fixture(scope="module")
def paper_output():
    torch.manual_seed(0)
    with torch.inference_mode():
        return SORN(SORNConfig(identities=702)).eval()(torch.randn(1, 3, 384, 128))


def test_shapes_at_384x128_with_resnet50(paper_output):
    assert paper_output.local_features.shape == (1, 3, 2048)
    assert paper_output.local_logits.shape == (1, 3, 702)
    assert paper_output.global_feature.shape == (1, 3 * 1024)
    assert paper_output.global_logits.shape == (1, 702)
    assert paper_output.maps.shape == (1, 3, 24, 8)
    assert paper_output.part_logits.shape == (1, 8, 96, 32)
    assert paper_output.visibility.shape == (1, 3)


def test_features_and_maps_are_finite_and_in_range(paper_output):
    assert torch.isfinite(paper_output.global_feature).all() and torch.isfinite(paper_output.local_features).all()
    assert paper_output.maps.min() > 0 and paper_output.maps.max() < 1
    assert paper_output.visibility.min() >= 0 and paper_output.visibility.max() <= 1


def small(**options) -> SORN:
    return SORN(SORNConfig(**{"identities": 4, "backbone": "resnet18", "semantic_channels": 8, **options})).eval()


@torch.inference_mode()
def test_options_change_the_shapes_they_name():
    image = torch.randn(1, 3, 192, 64)
    output = small(stripes=6, channel_sets=4, set_channels=10, labels=5)(image)
    assert output.local_features.shape == (1, 6, 512) and output.visibility.shape == (1, 6)
    assert output.global_feature.shape == (1, 40) and output.maps.shape == (1, 4, 12, 4)
    assert output.part_logits.shape == (1, 5, 48, 16)


@torch.inference_mode()
def test_branches_can_be_off():
    image = torch.randn(1, 3, 64, 32)
    no_local = small(local_branch=False)(image)
    assert no_local.local_features.shape == (1, 0, 512) and no_local.visibility.shape == (1, 0)
    no_global = small(global_branch=False)(image)
    assert no_global.global_feature.shape == (1, 0) and no_global.maps.shape[1] == 0
    no_semantic = small(semantic_branch=False)(image)
    assert no_semantic.part_logits is None and no_semantic.visibility.tolist() == [[1.0, 1.0, 1.0]]
    with pytest.raises(ValueError, match="at least one of the local, global and semantic branches"):
        small(local_branch=False, global_branch=False, semantic_branch=False)


@torch.inference_mode()
def test_feature_before_bn_is_the_pooled_map():
    torch.manual_seed(0)
    before, after = small(feature="before_bn"), small()
    after.load_state_dict(before.state_dict())
    image = torch.randn(2, 3, 64, 32)
    a, b = before(image), after(image)
    torch.testing.assert_close(after.global_.norm(a.global_feature), b.global_feature)
    torch.testing.assert_close(after.local.norms[1](a.local_features[:, 1]), b.local_features[:, 1])


def test_every_parameter_learns():
    torch.manual_seed(0)
    model = small().train()
    output = model(torch.randn(2, 3, 64, 32))
    (
        output.local_logits.sum() + output.global_logits.sum() + output.maps.square().sum() + output.part_logits.sum()
    ).backward()
    idle = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not idle


@torch.inference_mode()
def test_pcb_matches_by_its_means_or_by_what_its_head_makes_of_them():
    torch.manual_seed(0)
    options = {"local_head": "pcb", "head_channels": 16, "stripes": 2, "global_branch": False, "semantic_branch": False}
    before, after = small(feature="before_bn", **options), small(**options)
    after.load_state_dict(before.state_dict())
    image = torch.randn(2, 3, 64, 32)
    a, b = before(image), after(image)
    assert a.local_features.shape == (2, 2, 512) and b.local_features.shape == (2, 2, 16)
    torch.testing.assert_close(after.local.reduce(a.local_features[:, 1]), b.local_features[:, 1])
    assert b.local_features.min() == 0  # H is what ReLU leaves
    assert a.visibility.tolist() == [[1.0, 1.0]] * 2


@torch.inference_mode()
def test_a_segmenter_alone_sees_stripes_and_has_no_features():
    torch.manual_seed(0)
    model = small(local_branch=False, global_branch=False, stripes=2)
    with torch.no_grad():
        model.semantic.classify.weight.zero_()
        model.semantic.classify.bias.copy_(torch.eye(8)[3])  # everything is an arm
    output = model(torch.randn(1, 3, 64, 32))
    assert output.visibility.tolist() == [[1.0, 1.0]]
    assert output.local_features.shape[1] == output.global_feature.shape[1] == 0
    assert {name.split(".")[0] for name in model.state_dict()} == {"backbone", "semantic"}


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"local_head": "pcb", "global_branch": False, "semantic_branch": False}, ["local", "total"]),
        ({"local_branch": False, "global_branch": False}, ["seg", "total"]),
    ],
    ids=["pcb", "segmenter"],
)
def test_networks_beside_sorn_learn_with_every_parameter(options, parts):
    torch.manual_seed(0)
    model = small(**options).train()
    labels = torch.randint(0, 8, (2, 16, 8)) if model.semantic else None
    losses = sorn_loss(model(torch.randn(2, 3, 64, 32)), torch.tensor([0, 3]), labels, LossConfig())
    assert list(losses) == parts
    weight = 1.5 if parts[0] == "seg" else 1.0  # lambda_3, Eq. 10
    assert losses["total"].item() == pytest.approx(weight * losses[parts[0]].item())
    losses["total"].backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("size", [(16, 16), (32, 16)])
@pytest.mark.parametrize("head", ["bn", "pcb"])
def test_least_images_are_what_batch_normalisation_takes(size: tuple[int, int], head: str) -> None:
    rows = size[0] // 16
    for local, global_, semantic, stripes in itertools.product((True, False), (True, False), (True, False), (1, rows)):
        if local or global_ or semantic:
            model = small(
                backbone="resnet10",
                local_branch=local,
                global_branch=global_,
                semantic_branch=semantic,
                local_head=head,
                stripes=stripes,
                channel_sets=rows,
            ).train()
            least = model.config.least_images(size)
            model(torch.randn(least, 3, *size))
            if least == 2:
                with pytest.raises(ValueError, match="more than 1 value per channel"):
                    model(torch.randn(1, 3, *size))


@torch.inference_mode()
def test_the_width_of_features_is_what_the_network_gives() -> None:
    image = torch.randn(1, 3, 64, 32)
    for options in itertools.product((True, False), (True, False), ("bn", "pcb"), ("after_bn", "before_bn")):
        names = ("local_branch", "global_branch", "local_head", "feature")
        model = small(**dict(zip(names, options, strict=True)))
        output = model(image)
        assert model.feature_width == output.global_feature.numel() + output.local_features.numel()


def test_rows_are_needed_by_the_branches_that_divide_them() -> None:
    image = torch.randn(2, 3, 32, 16)
    for local, global_, options in (
        (True, True, {"stripes": 3, "channel_sets": 4}),
        (True, False, {"stripes": 3}),
        (False, True, {"channel_sets": 4}),
        (False, False, {"stripes": 3}),
    ):
        config = SORNConfig(backbone="resnet10", stripes=3, channel_sets=4, local_branch=local, global_branch=global_)
        assert config.rows_by_option == options
        with pytest.raises(ValueError, match="do not fit into 2 rows"):
            output = SORN(config).train()(image)
            sorn_loss(output, torch.zeros(2, dtype=torch.int64), torch.zeros(2, 8, 4, dtype=torch.int64), LossConfig())
