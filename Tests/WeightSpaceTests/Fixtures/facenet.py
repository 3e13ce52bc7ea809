"""Makes facenet.safetensors: what facenet-pytorch's InceptionResnetV1 says of two pictures, with weights from one stream of random numbers.

    python facenet.py OUT.safetensors [WEIGHTS.pt]

The weights (23 million) are not in the fixture: `FaceNetTests.weights` draws the same ones. WEIGHTS.pt gets them as facenet-pytorch saves
them, for trials by hand. Needs `pip install --no-deps facenet-pytorch`.
"""
import math, sys

import torch
from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1
from safetensors.torch import save_file

model = InceptionResnetV1(classify=False).eval()
torch.manual_seed(7)  # after the class has drawn its own
state = {}
for key, old in model.state_dict().items():
    if key.endswith("num_batches_tracked"):
        state[key] = torch.tensor(3)
        continue
    draw = torch.randn(old.shape)
    if old.dim() > 1:
        state[key] = draw * math.sqrt(2 / old[0].numel())
    elif key.endswith("running_var"):
        state[key] = torch.exp(0.2 * draw)
    elif key.endswith("weight"):
        state[key] = 1 + 0.1 * draw
    else:
        state[key] = 0.1 * draw
model.load_state_dict(state)

# A picture that is its own formula: no file of it is needed.
grid = torch.arange(160)
row, column, channel = grid[:, None, None], grid[None, :, None], torch.arange(3)[None, None, :]
pictures = torch.stack([(row * 3 + column * 5 + channel * 40) % 256, (row * column // 16 + channel * 90) % 256])
with torch.no_grad():
    points = model((pictures.permute(0, 3, 1, 2).float() - 127.5) / 128)
save_file({"points": points}, sys.argv[1])
if len(sys.argv) > 2:
    torch.save(model.state_dict() | {"logits.weight": torch.zeros(8, 512), "logits.bias": torch.zeros(8)}, sys.argv[2])
print(points[:, :4], "cosine", float(points[0] @ points[1]))
