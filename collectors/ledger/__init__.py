"""What people write down: tables dropped into a folder become entries of the log.

A file is read once, when nobody writes to it any more; its SHA-256 says which one it was. Each row is one entry: an
EVENT in the records stream, with who wrote it, when it came, and the file and line it stands in. Nothing is changed
afterwards: a correction is a new entry that names the number of the old one. A row that cannot be understood becomes a
dead letter with its line and what to do; the other rows go in.

`forms` says which tables there are, `entries` what a row means, `tables` (above) how files become rows, `folder` which
files are whole, `source` hands over. Readers of the log turn the texts back with `entries.from_text`.
"""
