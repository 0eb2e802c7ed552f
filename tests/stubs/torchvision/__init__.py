"""What transformers' image processors use of torchvision, in plain PyTorch.

The real package must not be installed beside a CPU build of PyTorch; this stub on the path makes
transformers believe that it is there, so that the other half of the code is tested too.
"""

__version__ = "0.26.0"
