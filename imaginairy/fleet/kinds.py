"""In which ways the pictures of a run are published; nothing here imports anything."""

KINDS = ("folder", "parquet", "webdataset")
