"""Restormer against another implementation of the paper, weights carried over layer by layer.

The other one normalises over pixels with a bias and leaves out the global residual: its norms are replaced by ours
and the residual is added, so that everything else is compared: attention, gate, levels, shuffles, skips, refinement.
"""

from __future__ import annotations

import pytest
import torch
from monai.networks.blocks.cablock import CABlock, FeedForward
from monai.networks.nets.restormer import MDTATransformerBlock
from monai.networks.nets.restormer import Restormer as Oracle
from torch import nn

from inference.methods.restormer import GDFN, MDTA, BiasFreeLayerNorm, Restormer, RestormerConfig

LEVELS = (1, 2, 3)


def copy_parameters(source: nn.Module, target: nn.Module) -> None:
    """In the order in which both define them; shapes must agree."""
    values, places = list(source.parameters()), list(target.parameters())
    assert [v.shape for v in values] == [p.shape for p in places]
    with torch.no_grad():
        for value, place in zip(values, places, strict=True):
            place.copy_(torch.randn_like(value) * (0.5 if value.dim() < 4 else value[0].numel() ** -0.5))
            value.copy_(place)


def with_our_norms(oracle: Oracle) -> Oracle:
    for module in oracle.modules():
        if isinstance(module, MDTATransformerBlock):
            dim = module.attn.project_out.conv.out_channels
            module.norm1, module.norm2 = BiasFreeLayerNorm(dim), BiasFreeLayerNorm(dim)
    return oracle


def pairs(ours: Restormer, theirs: Oracle) -> list[tuple[nn.Module, nn.Module]]:
    found: list[tuple[nn.Module, nn.Module]] = [(ours.embed, theirs.patch_embed), (ours.latent, theirs.latent)]
    for level in LEVELS:
        encoder, decoder = level - 1, 3 - level
        found += [
            (getattr(ours, f"encoder{level}"), theirs.encoder_levels[encoder]),
            (getattr(ours, f"down{level}"), theirs.downsamples[encoder]),
            (getattr(ours, f"up{level}"), theirs.upsamples[decoder]),
            (getattr(ours, f"decoder{level}"), theirs.decoder_levels[decoder]),
        ]
    found += [(ours.reduce3, theirs.reduce_channels[0]), (ours.reduce2, theirs.reduce_channels[1])]
    return [*found, (ours.refinement, theirs.refinement), (ours.output, theirs.output)]


def test_size_differs_by_the_biases_of_the_norms_alone() -> None:
    with torch.device("meta"):
        config = RestormerConfig(3, 3, align=False)
        ours = Restormer(config)
        theirs = Oracle(dim=48, num_blocks=config.blocks, heads=config.heads)
    biases = sum(m.weight.numel() for m in ours.modules() if isinstance(m, BiasFreeLayerNorm))
    assert sum(p.numel() for p in theirs.parameters()) == 26_126_644
    assert sum(p.numel() for p in ours.parameters()) + biases == 26_126_644


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_and_gate_are_equal(heads: int) -> None:
    torch.manual_seed(heads)
    x = torch.randn(2, 8, 6, 10)
    attention, theirs = MDTA(8, heads), CABlock(2, 8, heads, bias=False)
    copy_parameters(attention, theirs)
    assert float((attention(x) - theirs(x)).detach().abs().max()) <= 1e-5
    gate, forward = GDFN(8, 2.66, align=False), FeedForward(2, 8, 2.66, bias=False)
    copy_parameters(gate, forward)
    assert float((gate(x) - forward(x)).detach().abs().max()) <= 1e-5


def test_the_whole_network_is_equal() -> None:
    torch.manual_seed(0)
    config = RestormerConfig(3, 3, dim=8, blocks=(1, 2, 1, 2), heads=(1, 2, 4, 8), refinement=2, align=False)
    ours = Restormer(config).double()
    theirs = with_our_norms(
        Oracle(dim=8, num_blocks=config.blocks, heads=config.heads, num_refinement_blocks=2, layer_norm_use_bias=True)
    ).double()
    for mine, other in pairs(ours, theirs):
        copy_parameters(mine, other)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    x = torch.randn(1, 3, 24, 32, dtype=torch.float64)
    with torch.no_grad():
        difference = ours(x) - x - theirs(x)
        assert float(theirs(x).abs().max()) > 1e-3
    assert float(difference.abs().max()) <= 1e-5
