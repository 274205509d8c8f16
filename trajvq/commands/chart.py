"""``trajvq chart``: write the eye chart, a dataset that measures which objects a tokenizer keeps."""

from collections.abc import Sequence
from pathlib import Path

from trajvq.commands.parser import Parser
from trajvq.data.synthetic.chart import make_chart


def main(arguments: Sequence[str]) -> int:
    """Run ``trajvq chart`` and return the exit code.

    Raises:
        DataError: If the dataset cannot be written.
    """
    parser = Parser(
        prog="trajvq chart", description="Write the eye chart: discs of decreasing radius, contrast and speed."
    )
    parser.add_argument("--out", type=Path, required=True, help="dataset folder to write")
    parser.add_argument("--frames", type=int, default=16, help="frames per clip (default: 16)")
    parser.add_argument("--size", type=int, default=64, help="height and width in pixels (default: 64)")
    args = parser.parse_args(arguments)
    manifest = make_chart(args.out, args.frames, args.size)
    print(f"{args.out}: {manifest.clips('test')} clips in split test; sha256 {manifest.sha256[:12]}")
    print(f"your trajvq run: trajvq predict --config recon --data.path {args.out}")
    print(
        f"any tokenizer: save its reconstructions in order as `video`, .npz or .h5; trajvq score FILE --data {args.out}"
    )
    return 0
