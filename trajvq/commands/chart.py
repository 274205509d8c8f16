"""``trajvq chart``: write the eye chart that any tokenizer can be shown."""

from collections.abc import Sequence
from pathlib import Path

from trajvq.commands.parser import Parser
from trajvq.data.synthetic.chart import make_chart


def main(arguments: Sequence[str]) -> int:
    """Run ``trajvq chart``; returns the exit code.

    Raises:
        DataError: With one line for the user.
    """
    parser = Parser(prog="trajvq chart", description="Write the eye chart: discs over radius, contrast and speed.")
    parser.add_argument("--out", type=Path, required=True, help="dataset folder to make")
    parser.add_argument("--frames", type=int, default=16, help="frames a clip (default: 16)")
    parser.add_argument("--size", type=int, default=64, help="height and width in pixels (default: 64)")
    asked = parser.parse_args(arguments)
    manifest = make_chart(asked.out, asked.frames, asked.size)
    print(f"{asked.out}: {manifest.clips('test')} clips in split test; sha256 {manifest.sha256[:12]}")
    print("ours:   trajvq predict --config configs/recon.yaml --data.path " + str(asked.out))
    print(
        f"anyone: reconstruct them in order, save as `video` in .npz or .h5, then trajvq score FILE --data {asked.out}"
    )
    return 0
