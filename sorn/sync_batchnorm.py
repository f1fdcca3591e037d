"""Batch normalisation over the whole batch of all processes, on any device.

torch.nn.SyncBatchNorm does this on a GPU and refuses tensors of a CPU. SyncNorm does it there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.nn.functional import batch_norm


def synchronised(
    module: nn.Module, process_group: ProcessGroup | None = None, kept: Collection[nn.Module] = ()
) -> nn.Module:
    """The network with synchronised batch norms.

    Every BatchNorm1d and BatchNorm2d is replaced by one that uses the whole batch; the network may itself be such a
    norm. Parameters and buffers are the same tensors under the same names, so that a checkpoint fits both. Call it when
    the network is on its device, and before DistributedDataParallel. process_group: None means all processes. kept:
    norms that stay, because they are frozen. Raises ValueError for a norm that does more, as those of timm that hold an
    activation.
    """
    if module in kept:
        return module
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        if type(module) not in (nn.BatchNorm1d, nn.BatchNorm2d):
            raise ValueError(f"{type(module).__name__} does more than normalise, and cannot be synchronised")
        if module.weight.is_cuda:
            convert: Callable[..., nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
            return convert(module, process_group)
        return SyncNorm(module, process_group)
    for name, child in module.named_children():
        module.add_module(name, synchronised(child, process_group, kept))
    return module


class SyncNorm(nn.modules.batchnorm._BatchNorm):
    """Synchronised batch norm that replaces `norm`.

    Input: [B, C], [B, C, L] or [B, C, H, W] of any floating dtype. B is 1 or more and may differ between processes. In
    evaluation mode, and with one process, it computes what `norm` computes.
    """

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, process_group: ProcessGroup | None = None) -> None:
        # The statistics without momentum and the layer without weights have no user here.
        assert norm.momentum is not None and norm.affine and norm.track_running_stats
        super().__init__(norm.num_features, norm.eps, norm.momentum, device="meta")
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.training = norm.training
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if not 2 <= input.dim() <= 4:
            raise ValueError(f"expected [B, C], [B, C, L] or [B, C, H, W], got {list(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """Normalised x, of the same shape, dtype and memory format."""
        if not self.training or not dist.is_initialized() or dist.get_world_size(self.process_group) == 1:
            return super().forward(input)
        self._check_input_dim(input)
        input = input.contiguous(memory_format=_memory_format(input))
        with torch.no_grad():
            mean, variance, count = _whole_batch(input, self.process_group)
            self._track(mean, variance, count)
        output: Tensor = _Normalised.apply(
            input, self.weight, self.bias, mean, variance, count, self.eps, self.process_group
        )
        return output

    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update of the running statistics, with the unbiased variance."""
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.mul_(1 - self.momentum).add_(mean, alpha=self.momentum)
        self.running_var.mul_(1 - self.momentum).add_(variance * (count / (count - 1)), alpha=self.momentum)


def _whole_batch(input: Tensor, process_group: ProcessGroup | None) -> tuple[Tensor, Tensor, int]:
    """Mean [C] and biased variance [C] over all processes, and the number of values per channel.

    The statistics are float32 or wider. The processes exchange mean, variance and count and combine them as Chan, Golub
    and LeVeque (1983), because the difference of sums of squares would lose its digits. The combination follows the
    order of the processes, so that all of them get the same bits.
    """
    channels = input.shape[1]
    dtype = torch.promote_types(input.dtype, torch.float32)
    unused = input.new_zeros(channels, dtype=dtype), input.new_ones(channels, dtype=dtype)  # running statistics
    own_mean, own_variance = torch.batch_norm_update_stats(
        input, *unused, 0.0
    )  # of this process, as nn.BatchNorm2d sums
    own_count = torch.full_like(own_mean, input.numel() // channels)
    own = torch.stack([own_mean, own_variance, own_count]).double()
    everyone = [torch.empty_like(own) for _ in range(dist.get_world_size(process_group))]
    dist.all_gather(everyone, own, process_group)
    means, variances, counts = torch.stack(everyone, dim=1)  # [processes, C] each
    count = counts.sum(dim=0)
    mean = (means * counts).sum(dim=0) / count
    variance = ((variances + (means - mean).square()) * counts).sum(dim=0) / count
    return mean.to(dtype), variance.to(dtype), int(count[0])


class _Normalised(torch.autograd.Function):
    """y = (x - mean) / sqrt(variance + eps) * weight + bias, differentiated through mean and variance.

    mean, variance: [C], of x over all processes.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        count: int,
        eps: float,
        process_group: ProcessGroup | None,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.count, ctx.eps, ctx.process_group = count, eps, process_group
        return batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of Ioffe and Szegedy (2015), Section 3.

        With x^ the normalised x, s = weight / sqrt(variance + eps), and means over the values of all processes: dx = s
        (dy - mean(dy) - x^ mean(dy x^)). The gradients of weight and bias are the share of this process;
        DistributedDataParallel adds the shares of all processes.
        """
        x, weight, mean, variance = ctx.saved_tensors
        dy = gradients[0].contiguous(memory_format=_memory_format(x))  # other layouts are summed in the dtype of x
        _, dweight, dbias = torch.ops.aten.native_batch_norm_backward(
            dy, x, weight, mean, variance, None, None, False, ctx.eps, [False, True, True]
        )  # with fixed statistics: sums of dy x^ and dy
        if not ctx.needs_input_grad[0]:
            return None, dweight, dbias, None, None, None, None, None
        sums = torch.stack([dweight, dbias]).double()
        dist.all_reduce(sums, group=ctx.process_group)
        mean_dyx, mean_dy = (sums / ctx.count).to(mean.dtype)
        inverse = torch.rsqrt(variance + ctx.eps)
        scale = weight * inverse
        shape = (1, -1) + (1,) * (x.dim() - 2)
        centred = x - mean.view(shape)  # float32 or wider, as all that follows
        dx = centred.mul_((-scale * inverse * mean_dyx).view(shape)).addcmul_(dy, scale.view(shape))
        dx.sub_((scale * mean_dy).view(shape))
        return dx.to(x.dtype), dweight, dbias, None, None, None, None, None


def _memory_format(tensor: Tensor) -> torch.memory_format:
    if tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format
