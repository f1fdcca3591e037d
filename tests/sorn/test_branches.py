"""Stripes, aggregation maps and visibility scores, by hand-made numbers."""

import pytest
import torch

from sorn.branches import GlobalBranch, LocalBranch, normalised_maps, stripe_bounds, stripe_means, visibility_scores
from sorn.losses import spatial_patch_contrastive


def test_stripes_are_equal_where_the_count_divides_the_rows_and_nearly_equal_elsewhere():
    assert stripe_bounds(24, 3) == [(0, 8), (8, 16), (16, 24)]
    assert stripe_bounds(24, 1) == [(0, 24)]
    bounds = stripe_bounds(24, 5)
    sizes = [stop - start for start, stop in bounds]
    assert sum(sizes) == 24 and max(sizes) - min(sizes) <= 1
    assert [start for start, _ in bounds[1:]] == [stop for _, stop in bounds[:-1]]
    with pytest.raises(ValueError, match="5 stripes do not fit into 4 rows"):
        stripe_bounds(4, 5)


def test_stripe_means_by_hand():
    maps = torch.tensor([[1.0, 3.0], [5.0, 7.0]]).reshape(1, 1, 2, 2)
    assert stripe_means(maps, 2).tolist() == [[[2.0], [6.0]]]


def test_unequal_stripes_have_means_and_gradients_of_their_own_rows():
    maps = torch.tensor([[1.0, 3.0], [5.0, 7.0], [10.0, 20.0]]).reshape(1, 1, 3, 2).requires_grad_()
    means = stripe_means(maps, 2)  # rows 0 and 1, row 2
    assert means.tolist() == [[[4.0], [15.0]]]
    (means * torch.tensor([[[4.0], [6.0]]])).sum().backward()
    assert maps.grad.flatten().tolist() == [1.0, 1.0, 1.0, 1.0, 3.0, 3.0]


def test_normalised_maps_are_equations_3_and_4():
    aggregation = torch.tensor([[4.0, 0.0], [1.0, -1.0]]).reshape(1, 1, 2, 2)  # mean 1: 3, -1, 0, -2 around it
    expected = [0.952574, 0.268941, 0.5, 0.119203]  # 1 / (1 + e^-z)
    for bound in (0.0, 3.0, 6.0):  # within the bound, Eq. 4 to the letter
        assert normalised_maps(aggregation, bound).flatten().tolist() == pytest.approx(expected, abs=1e-5)


def test_a_bounded_map_keeps_its_order_and_a_gradient_where_the_literal_one_saturates():
    aggregation = torch.tensor([200.0, -200.0, 100.0, -100.0]).reshape(1, 1, 2, 2).requires_grad_()
    normalised_maps(aggregation, 0.0).sum().backward()
    assert aggregation.grad.abs().max() < 1e-20
    aggregation.grad = None
    maps = normalised_maps(aggregation, 6.0)
    assert maps.flatten().tolist() == pytest.approx([0.997527, 0.002473, 0.952574, 0.047426], abs=1e-5)
    maps[0, 0, 0, 0].backward()
    assert aggregation.grad[0, 0, 0, 0] > 1e-5


@pytest.mark.parametrize("sets", [2, 3, 4])
def test_a_bounded_map_that_is_as_equation_5_wants_it_is_left_alone(sets):
    """However large its values: with a scale taken for fixed, the loss would ask for larger ones for ever."""
    rows = torch.arange(12)
    patches = torch.stack([((rows >= a) & (rows < b)).float() for a, b in stripe_bounds(12, sets)])
    wanted = (patches * sets - 1)[None, :, :, None].expand(1, sets, 12, 4)  # of mean 0
    aggregation = (100 * wanted).clone().requires_grad_()
    spatial_patch_contrastive(normalised_maps(aggregation, 6.0)).backward()
    assert aggregation.grad.abs().max() < 1e-6
    other = (100 * torch.randn(aggregation.shape, generator=torch.Generator().manual_seed(0))).requires_grad_()
    spatial_patch_contrastive(normalised_maps(other, 6.0)).backward()
    assert (other.grad * wanted).sum() < -0.1, "descending raises what the patch should show"


def test_the_global_branch_gives_what_the_literal_convolution_gives():
    torch.manual_seed(0)
    branch = GlobalBranch(channels=6, sets=3, set_channels=4, identities=5, bias=False, bound=0.0).eval()
    features = torch.randn(2, 6, 6, 2)
    t_g = branch.expand(features)  # [2, 12, 6, 2], T_g of the paper
    aggregation = torch.stack([t_g[:, n * 4 : (n + 1) * 4].sum(dim=1) for n in range(3)], dim=1)  # Eq. 2
    maps = torch.sigmoid(aggregation - aggregation.mean(dim=(2, 3), keepdim=True))  # Eq. 3, 4
    pooled, normed, logits, own_maps = branch(features)
    torch.testing.assert_close(own_maps, maps)
    torch.testing.assert_close(pooled, t_g.mean(dim=(2, 3)))
    torch.testing.assert_close(normed, branch.norm(t_g.mean(dim=(2, 3))))
    assert logits.shape == (2, 5)


def test_each_stripe_has_its_own_norm_and_classifier():
    torch.manual_seed(0)
    branch = LocalBranch(channels=4, stripes=2, identities=3, bias=False).train()
    pooled, normed, logits = branch(torch.randn(8, 4, 4, 2) * 3 + 5)
    assert pooled.shape == normed.shape == (8, 2, 4) and logits.shape == (8, 2, 3)
    torch.testing.assert_close(normed.mean(dim=0), torch.zeros(2, 4), atol=1e-5, rtol=0)
    assert len({id(module) for module in (*branch.norms, *branch.classifiers)}) == 4


def test_visibility_is_the_share_of_foreground_in_each_stripe():
    logits = torch.zeros(1, 8, 8, 4)
    logits[:, 0] = 1  # background everywhere ...
    logits[0, 3, 0, :] = 2  # ... but for one of four rows above
    logits[0, 7, 4:, :] = 2  # ... and all four below
    assert visibility_scores(logits, 2).tolist() == [[0.25, 1.0]]


def test_visibility_looks_at_the_rows_of_the_stripes_features():
    logits = torch.zeros(1, 8, 96, 4)
    for a, b in stripe_bounds(24, 5)[::2]:
        logits[0, 1, 4 * a : 4 * b] = 1
    assert visibility_scores(logits, 5).tolist() == [[1.0, 0.0, 1.0, 0.0, 1.0]]


def test_the_head_of_pcb_by_hand():
    """One channel: every stripe's mean G times 1x1 weights, normalised over batch and stripes, cut off at 0."""
    branch = LocalBranch(channels=1, stripes=2, identities=3, bias=True, reduced=2).train()
    with torch.no_grad():
        branch.reduce[0].weight.copy_(torch.tensor([[2.0], [-1.0]]))
    maps = torch.tensor([[1.0, 3.0], [3.0, 7.0]]).reshape(2, 1, 2, 1)  # two images, two rows: G = 1 and 3, 3 and 7
    pooled, features, logits = branch(maps)
    assert pooled.tolist() == [[[1.0], [3.0]], [[3.0], [7.0]]]
    # 1, 3, 3, 7 have mean 3.5 and variance 4.75; the weight 2 changes nothing, -1 turns the sign, those below 0 go
    low, middle, high = 2.5 / 4.75**0.5, 0.5 / 4.75**0.5, 3.5 / 4.75**0.5
    expected = torch.tensor([[[0.0, low], [0.0, middle]], [[0.0, middle], [high, 0.0]]])
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=0)
    assert logits.shape == (2, 2, 3)
    for p, classify in enumerate(branch.classifiers):
        torch.testing.assert_close(logits[:, p], classify(features[:, p]))
