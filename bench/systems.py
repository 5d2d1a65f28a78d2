"""The eight systems: program and options; best validation accuracy of the study, %.

A test compares them with models/systems.cpp."""

SYSTEMS = {
    "standard": (["standard"], 92.30),
    "deep": (["deep"], 91.94),
    "dilated2": (["dilated", "--dilation", 2], 91.91),
    "dilated10": (["dilated", "--dilation", 10], 91.88),
    "deformable": (["deformable"], 92.20),
    "enhanced": (["enhanced"], 92.20),
    "standard_mixup": (["standard", "--mixup", 1], 92.87),
    "deformable_mixup": (["deformable", "--mixup", 1], 92.87),
}
