"""Data sets: whatever `--dataset` names, as two halves of images and what is known about them.

There is one way in, `open_dataset`. Named data sets are read by `named_data`, folders of image files by `image_folder`,
files of arrays by `array_file`; a repo on the Hub is fetched, and then a folder.
"""

from .array_file import read_places
from .dataset import DATA_DIR, Dataset, load_split, open_dataset
from .images import DataError, Places, Split, add_noise, as_floats, wrong_values
from .named_data import DATASETS, About
from .rows import Images, Rows, as_images

__all__ = [
    "DATASETS",
    "DATA_DIR",
    "About",
    "DataError",
    "Dataset",
    "Images",
    "Places",
    "Rows",
    "Split",
    "add_noise",
    "as_floats",
    "as_images",
    "load_split",
    "open_dataset",
    "read_places",
    "wrong_values",
]
