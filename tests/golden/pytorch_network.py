"""The study's networks in PyTorch, with the names that models/pytorch.h translates to."""

import torch.nn.functional as F
from torch import nn
from torchvision.ops import DeformConv2d

SYSTEMS = {  # arguments of Net
    "standard": dict(),
    "deep": dict(widths=(32, 64, 128, 256)),
    "dilated2": dict(dilation=2),
    "dilated10": dict(dilation=10),
    "deformable": dict(deformable=True),
    "enhanced": dict(deformable=True, batch_norm=True),
    "standard_mixup": dict(),
    "deformable_mixup": dict(deformable=True),
}


class Net(nn.Module):
    """Images [N,1,side,side]; without dropout, which eval mode has none of."""

    def __init__(
        self,
        widths=(32, 64),
        dilation=1,
        deformable=False,
        batch_norm=False,
        side=28,
        hidden=128,
        classes=10,
    ):
        super().__init__()
        self.convs, self.offs, self.bns = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i, (a, b) in enumerate(zip((1, *widths), widths)):
            d = dilation if i == 1 else 1
            layer = DeformConv2d if deformable else nn.Conv2d
            self.convs.append(layer(a, b, 3, padding=d, dilation=d))
            if deformable:
                self.offs.append(nn.Conv2d(a, 18, 3, padding=1))
            self.bns.append(nn.BatchNorm2d(b) if batch_norm else nn.Identity())
        self.fc1 = nn.Linear(widths[-1] * (side // 4) ** 2, hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x):
        for i, conv in enumerate(self.convs):
            x = F.relu(self.bns[i](conv(x, self.offs[i](x)) if self.offs else conv(x)))
            x = F.max_pool2d(x, 2) if i < 2 else x
        return self.fc2(F.relu(self.fc1(x.flatten(1))))
