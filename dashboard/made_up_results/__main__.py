"""Write made-up results into a folder."""

import argparse
from pathlib import Path

from dashboard.made_up_results import Size, __doc__, make_up_results

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=Path)
parser.add_argument("--predictions", type=int, default=4_500_000, help="of all models together")
parser.add_argument("--datasets", type=int, default=120)
parser.add_argument("--models", type=int, default=16)
asked = parser.parse_args()
make_up_results(asked.folder, Size(asked.predictions, asked.datasets, asked.models))
