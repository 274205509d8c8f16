"""``python -m trajvq``, for launchers such as torchrun."""

import sys

from trajvq.cli import main

sys.exit(main())
