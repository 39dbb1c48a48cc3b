"""Networks, the training loop and predictions; needs torch, torchvision, numpy and safetensors alone."""
