"""The table of labels as the pandas at hand writes it: make_tables.py OUT NAME

NAME.pt by torch.save, NAME.pkl by DataFrame.to_pickle, NAME-index.pt with the names as index. Run once for each pandas (2 and 3; 3 also with pyarrow).
"""
import sys
import pandas as pd
import torch

out, name = sys.argv[1:3]
table = pd.DataFrame({
    "file": ["100.jpg", "ä b.jpg", "3.png"], "Male": [1, -1, 1], "Young": [0.5, float("nan"), -1.0], "Bald": [True, False, True],
    "Mixed": pd.Series([1, None, "x"], dtype=object), "Whole": pd.Series([1, 0, None], dtype=object), "Small": pd.Series([3, 4, 5], dtype="int8"),
})
torch.save(table, f"{out}/{name}.pt")
table.to_pickle(f"{out}/{name}.pkl")
torch.save(table[["file", "Male", "Young"]].set_index("file"), f"{out}/{name}-index.pt")
# Columns of pandas' own types: texts with pd.NA, numbers that may be missing, categories.
kinds = pd.DataFrame({
    "file": pd.Series(["100.jpg", "ä b.jpg", None], dtype="string"), "Male": pd.Series([1, None, -1], dtype="Int64"),
    "Young": pd.Series([0.5, None, -1.0], dtype="Float64"), "Bald": pd.Series([True, None, False], dtype="boolean"),
    "Hair": pd.Categorical(["brown", "red", None]), "Grade": pd.Categorical([3, 1, 3]),
    "Mixed": pd.Series([1, pd.NA, 2], dtype=object),
})
torch.save(kinds, f"{out}/{name}-kinds.pt")
